"""Whatever is killed, whenever: every case is judged once, and the same bugs are found."""

import html
import json
import random
import sqlite3
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from reports.model import replay
from tests.quality.campaigns import (
    command_of,
    descendants,
    ending,
    findings,
    finish,
    judged,
    kill,
    rows,
    start,
    wait_for,
)

BUGS = ("-b", "engine:fault=F25", "-b", "engine:fault=F01", "-b", "engine", "--seed", "3")
FAST = ("-b", "tests.fakes:random", "-b", "engine", "--seed", "3")  # nothing to explain


def assert_same_run(run: Path, undisturbed: Path, cases: int) -> None:
    assert rows(run, "select count(*), count(distinct number) from cases") == [(cases, cases)]
    assert judged(run) == judged(undisturbed)
    assert findings(run) == findings(undisturbed)
    assert rows(run, "select * from coverage") == rows(undisturbed, "select * from coverage")
    report, other = replay(run), replay(undisturbed)
    assert (report.cases, report.comparisons) == (other.cases, other.comparisons)
    assert report.counts == other.counts
    seen = {each.finding.id: each.finding.seen for each in report.findings}
    assert seen == {each.finding.id: each.finding.seen for each in other.findings}
    kept = {each.name for each in (run / "findings").iterdir()}
    assert kept == {each.finding.id for each in report.findings}


def lawless(run: Path) -> int:
    """How many findings wait for their laws."""
    try:
        ((count,),) = rows(run, "select count(*) from laws")
    except sqlite3.OperationalError:  # it was just begun
        return 0
    return int(str(count))


def laws(run: Path) -> dict[str, str]:
    """By finding, as its page and ``finding.json`` have it too."""
    told = {each.finding.id: each.finding.law for each in replay(run).findings}
    for name, law in told.items():
        folder = run / "findings" / name
        assert json.loads((folder / "finding.json").read_text())["law"] == law
        assert law in html.unescape((folder / "report.html").read_text())
    return told


@pytest.mark.slow
def test_laws_that_are_pending_when_a_campaign_is_killed_are_found_later(
    tmp_path: Path,
) -> None:
    plan = [*BUGS, "--cases", "300"]
    status, said = finish([*plan, "--out", "whole"], tmp_path)
    assert status == 1, said
    process = start([*plan, "--jobs", "2", "--out", "killed"], tmp_path)
    run, kills = tmp_path / "killed", 0
    while kills < 3:
        assert process.poll() is None, "it was over before all kills"
        if run.exists() and lawless(run):
            kill(process.pid)
            process.communicate(timeout=60)
            kills += lawless(run) > 0
            process = start(["--resume", "--jobs", "2", "--out", "killed"], tmp_path)
            time.sleep(2.0)  # it takes up what is pending
        time.sleep(0.02)
    kill(process.pid)
    process.communicate(timeout=60)
    status, said = finish(["--resume", "--out", "killed"], tmp_path)  # without jobs
    assert status == 1, said
    assert lawless(run) == 0
    assert_same_run(run, tmp_path / "whole", 300)
    assert set(laws(run).values()) == set(laws(tmp_path / "whole").values())
    assert all(laws(run).values())


def kill_and_go_on(plan: Sequence[str], folder: Path, seconds: list[float]) -> None:
    """Begin, and kill the campaign after so many seconds of each session; then let it finish."""
    plan = [*plan, "--jobs", "2", "--out", "killed"]
    for wait in seconds:
        process = start(plan, folder)
        wait_for(folder / "killed" / "events.ndjson")
        while not (folder / "killed" / "events.ndjson").read_text().endswith("\n"):
            time.sleep(0.01)
        time.sleep(wait)
        kill(process.pid)
        process.communicate(timeout=60)
        plan = ["--resume", "--jobs", "2", "--out", "killed"]
    status, said = finish(plan, folder)
    assert status == 1, said


@pytest.mark.parametrize(
    ("backends", "cases", "kills", "latest"),
    [(FAST, 100, 1, 0.5), pytest.param(BUGS, 600, 10, 4.0, marks=pytest.mark.slow)],
)
def test_a_campaign_killed_at_any_moment_goes_on(
    tmp_path: Path, backends: Sequence[str], cases: int, kills: int, latest: float
) -> None:
    plan = [*backends, "--cases", str(cases)]
    status, said = finish([*plan, "--out", "whole"], tmp_path)
    assert status == 1, said
    moments = random.Random(kills)
    kill_and_go_on(plan, tmp_path, [moments.uniform(0.0, latest) for _ in range(kills)])
    assert_same_run(tmp_path / "killed", tmp_path / "whole", cases)
    status, said = finish(["--resume", "--out", "killed"], tmp_path)
    assert status == 1
    assert "killed is finished: nothing is left to do" in said


WORKER, JOB, CAMPAIGN = "worker.py", "spawn_main", ""


def kill_one(kind: str, campaign: int, moments: random.Random, limit: float = 60) -> None:
    """``kill -9`` of the campaign, or of one of its processes of that kind once there is one."""
    end = time.monotonic() + limit
    found = [campaign] if kind == CAMPAIGN else []
    while not found:
        assert time.monotonic() < end
        found = [each for each in descendants(campaign) if kind in command_of(each)]
    kill(moments.choice(found))


def wait_for_a_batch(process: subprocess.Popen[str], log: Path) -> None:
    """Until one more is judged: cases over which three jobs are killed in a row end a campaign."""
    size = log.stat().st_size
    while process.poll() is None:
        with log.open(encoding="utf-8") as file:
            file.seek(size)
            if '"BatchJudged"' in file.read():
                return
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [(WORKER, JOB), (WORKER, CAMPAIGN)])
def test_ten_of_each_killed_at_any_moment_change_nothing(
    tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    cases = 10_000
    plan = [*BUGS, "--cases", str(cases)]
    status, said = finish([*plan, "--out", "whole"], tmp_path)
    assert status == 1, said
    disturbed, moments = ["--jobs", "2", "--out", "disturbed"], random.Random(5)
    kills = list(kinds) * 10
    moments.shuffle(kills)
    process = start([*plan, *disturbed], tmp_path)
    wait_for(tmp_path / "disturbed" / "events.ndjson")
    for kind in kills:
        wait_for_a_batch(process, tmp_path / "disturbed" / "events.ndjson")
        time.sleep(moments.uniform(0.2, 2.0))
        assert process.poll() is None, "it was over before all kills"
        kill_one(kind, process.pid, moments)
        if kind == CAMPAIGN:
            process.communicate(timeout=60)
            process = start(["--resume", *disturbed], tmp_path)
    status, said = ending(process)
    assert status == 1, said
    assert_same_run(tmp_path / "disturbed", tmp_path / "whole", cases)
