"""Campaigns as a person starts them, in processes of their own that can be killed."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from reports.model import replay

ROOT = Path(__file__).parents[2]


def start(arguments: Sequence[str], folder: Path) -> "subprocess.Popen[str]":
    """``quantdiff fuzz`` with these arguments, in ``folder``."""
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "fuzz", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(arguments: Sequence[str], folder: Path, *, limit: float = 300) -> tuple[int, str]:
    """Its exit status and what it said."""
    return ending(start(arguments, folder), limit=limit)


def ending(process: "subprocess.Popen[str]", *, limit: float = 300) -> tuple[int, str]:
    """Its exit status and what it said; one that takes longer is killed, and the test fails."""
    try:
        _, said = process.communicate(timeout=limit)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in said, said  # its status would be 1, as with a divergence
    return process.returncode, said


def descendants(pid: int) -> list[int]:
    """The processes that a process started, directly or not; Linux."""
    children = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children[int(fields[1])].append(int(stat.parent.name))
    return list(_below(pid, children))


def _below(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    for each in children.get(pid, ()):
        yield each
        yield from _below(each, children)


def command_of(pid: int) -> str:
    """Its command line, empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def kill(pid: int) -> None:
    """``kill -9``, of a process that may be gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_for(path: Path, limit: float = 60) -> None:
    """Until the file or folder is there."""
    end = time.monotonic() + limit
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def wait_for_cases(run: Path, count: int, limit: float = 120) -> None:
    """Until a campaign has judged so many."""
    log = run / "events.ndjson"
    wait_for(log)
    end = time.monotonic() + limit
    while log.read_text().count("BatchJudged") < 2 or replay(log).cases < count:
        assert time.monotonic() < end
        time.sleep(0.2)


Rows = list[tuple[object, ...]]


def rows(run: Path, query: str) -> Rows:
    """The answer of a run's database."""
    with closing(sqlite3.connect(run / "run.sqlite")) as database:
        return database.execute(query).fetchall()


def judged(run: Path) -> Rows:
    """Every case and every verdict."""
    return rows(
        run,
        "select number, digest, backend, verdict from cases join verdicts using (number) "
        "order by number, backend",
    )


def findings(run: Path) -> Rows:
    """What was found, and how often."""
    return rows(run, "select id, signature, backend, seen from findings order by id")
