"""Whatever is killed, whenever: every case is judged once, and the same bugs are found."""

import random
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


@pytest.mark.slow
def test_jobs_and_workers_killed_at_any_moment_are_replaced(tmp_path: Path) -> None:
    cases = 600
    plan = [*BUGS, "--cases", str(cases)]
    assert finish([*plan, "--out", "whole"], tmp_path)[0] == 1
    process = start([*plan, "--jobs", "2", "--out", "disturbed"], tmp_path)
    wait_for(tmp_path / "disturbed" / "events.ndjson")
    moments, killed = random.Random(5), {"worker.py": 0, "spawn_main": 0}
    while process.poll() is None and min(killed.values()) < 10:
        time.sleep(moments.uniform(0.5, 3.0))
        kind = moments.choice(list(killed))
        found = [each for each in descendants(process.pid) if kind in command_of(each)]
        if found and killed[kind] < 10:
            kill(moments.choice(found))
            killed[kind] += 1
    status, said = ending(process)
    assert status == 1, said
    assert min(killed.values()) > 2
    run = tmp_path / "disturbed"
    assert rows(run, "select count(*), count(distinct number) from cases") == [(cases, cases)]
    assert {row[:2] for row in findings(run)} >= {
        row[:2] for row in findings(tmp_path / "whole")
    }
