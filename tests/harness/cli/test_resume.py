"""``quantdiff fuzz --resume`` as a person meets it; kills are in tests/quality/test_killed.py."""

import fcntl
import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from harness.cli import run
from reports.model import replay
from tests.quality.campaigns import finish, rows, start, wait_for

Said = pytest.CaptureFixture[str]


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> Path:
    """A run of a few cases, in ``out`` of the working directory."""
    monkeypatch.chdir(tmp_path)
    assert run(["fuzz", "-b", "engine", "--cases", "8", "--seed", "1"]) == 0
    capsys.readouterr()
    return tmp_path / "out"


def complaint(capsys: Said) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("quantdiff: ")
    return line


def truncate(out: Path, events: int) -> None:
    """The log as it is when a campaign is killed after so many events, and while it writes one."""
    lines = (out / "events.ndjson").read_text().splitlines(keepends=True)
    (out / "events.ndjson").write_text("".join(lines[:events]) + lines[events][:20])


def test_a_finished_run_says_so(finished: Path, capsys: Said) -> None:
    before = (finished / "events.ndjson").read_bytes()
    assert run(["fuzz", "--resume"]) == 0
    assert "out is finished: nothing is left to do" in capsys.readouterr().err
    assert (finished / "events.ndjson").read_bytes() == before


def test_what_there_was_no_time_for_is_said_and_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("harness.campaign.supply.GRACE_SECONDS", -1e6)
        patch.setattr("harness.campaign.supply.OVERTIME", -1e6)
        assert run(["fuzz", "-b", "engine:fault=F25", "--time", "1s", "--seed", "1"]) == 1
    assert "quantdiff fuzz --resume --out out" in capsys.readouterr().err
    report = replay(tmp_path / "out")
    assert report.unsettled > 0
    assert not report.findings
    assert run(["fuzz", "--resume"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("quantdiff ")
    assert "F25 the zero point of x is not subtracted" in said
    later = replay(tmp_path / "out")
    assert (later.unsettled, later.cases) == (0, report.cases)
    (finding,) = (each.finding for each in later.findings)
    assert finding.diagnosis[0].fault == "F25"
    assert finding.seen == report.unsettled


def test_the_newest_run_is_meant_and_there_must_be_one(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    assert run(["fuzz", "-b", "engine", "--cases", "1"]) == 0
    assert run(["fuzz", "--resume"]) == 0
    assert "out-2 is finished" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert run(["fuzz", "--resume"]) == 2
    assert "out is no folder" in complaint(capsys)
    assert run(["fuzz", "--resume", "--out", "."]) == 2
    assert "holds no run" in complaint(capsys)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--seed", "2"), "begun with --seed 1, not with --seed 2"),
        (("--family", "pool"), "begun with --family conv, not with --family pool"),
        (("-b", "ort"), "begun with -b engine, not with -b ort"),
        (("--cases", "9"), "begun with --cases 8, not with --cases 9"),
        (("--time", "1m"), "begun without --time, not with --time 60"),
    ],
)
def test_options_given_again_must_agree(
    finished: Path, capsys: Said, option: tuple[str, str], words: str
) -> None:
    assert run(["fuzz", "--resume", *option]) == 2
    assert words in complaint(capsys)


def test_options_that_agree_are_no_harm(finished: Path) -> None:
    assert run(["fuzz", "--resume", "--seed", "1", "--cases", "8", "-b", "engine"]) == 0


def test_a_log_behind_its_database_is_mended(finished: Path) -> None:
    whole = (finished / "events.ndjson").read_bytes()
    truncate(finished, whole.count(b"\n") - 1)
    assert run(["fuzz", "--resume"]) == 0
    assert (finished / "events.ndjson").read_bytes() == whole


def test_another_engine_is_another_run(finished: Path, capsys: Said) -> None:
    log = finished / "events.ndjson"
    started, *rest = log.read_text().splitlines(keepends=True)
    document = json.loads(started)
    document["backends"][0]["version"] = "0.0.7"
    unfinished = "".join(rest[:-1])
    log.write_text(json.dumps(document) + "\n" + unfinished)
    with closing(sqlite3.connect(finished / "run.sqlite")) as database, database:
        database.execute("delete from outbox")
    assert run(["fuzz", "--resume"]) == 2
    assert "engine was 0.0.7 and is 0.1.0 now; start a new run" in complaint(capsys)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def test_two_processes_never_write_one_run(finished: Path, capsys: Said) -> None:
    with held(finished):
        assert run(["fuzz", "--resume"]) == 2
    assert "is being written by another campaign" in complaint(capsys)


def test_a_database_that_is_none_is_said_in_one_line(finished: Path, capsys: Said) -> None:
    (finished / "run.sqlite").write_bytes(b"no database" * 100)
    assert run(["fuzz", "--resume"]) == 2
    assert "the run cannot go on" in complaint(capsys)


def test_jobs_are_interrupted_with_everything_saved_and_go_on(tmp_path: Path) -> None:
    plan = ["-b", "engine", "--cases", "800", "--seed", "1", "--out", "run"]
    process = start([*plan, "--jobs", "2"], tmp_path)
    wait_for(tmp_path / "run" / "events.ndjson")
    while "BatchJudged" not in (tmp_path / "run" / "events.ndjson").read_text():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert "Traceback" not in said
    report = replay(tmp_path / "run")
    assert report.state == "interrupted"
    assert 0 < report.cases < 800
    assert rows(tmp_path / "run", "select count(*) from cases") == [(report.cases,)]
    status, said = finish(["--resume", "--out", "run", "--jobs", "2"], tmp_path)
    assert status == 0, said
    assert replay(tmp_path / "run").cases == 800
