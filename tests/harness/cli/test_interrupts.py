"""Interrupts: of what is kept nothing is half done, whenever the signal comes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from harness.cli.interrupts import Interrupts

ROOT = Path(__file__).parents[3]


def interrupt(times: int = 1) -> None:
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_and_the_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        signal.raise_signal(number)
    assert interrupts.came
    assert signal.getsignal(number) is before


def test_what_is_held_is_finished_and_the_events_hear_of_it() -> None:
    def events() -> Generator[str]:
        try:
            yield "first"
            yield "never"
        except KeyboardInterrupt:
            yield "last"
            raise

    seen = []

    def consume(interrupts: Interrupts) -> None:
        for event in interrupts.stopping(events()):
            with interrupts.held():
                interrupt()
                seen.append(event)

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        consume(interrupts)
    assert seen == ["first", "last"]


def test_a_person_who_insists_is_heard() -> None:
    with Interrupts() as interrupts:
        interrupts.hold()
        interrupt(3)
        with pytest.raises(KeyboardInterrupt):
            interrupt()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_campaign_that_is_interrupted_leaves_a_whole_folder(
    tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "harness", "fuzz", "-b", "engine:fault=F25"]
    process = subprocess.Popen(
        [*command, "--cases", "1000000", "--seed", "1", "--out", str(out)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _wait_for(out / "findings")
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "Traceback" not in said
    assert f"interrupted by {number.name} after" in said
    summary = json.loads((out / "summary.json").read_text())
    kept = [each.name for each in (out / "findings").iterdir()]
    assert [each["id"] for each in summary["findings"]] == kept
    assert {each.name for each in out.iterdir()} >= {"index.html", "junit.xml", "run.sqlite"}
    assert _event_names(out)[-1] == "CampaignInterrupted"


def _wait_for(path: Path) -> None:
    limit = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < limit
        time.sleep(0.02)


def _event_names(out: Path) -> list[str]:
    lines = (out / "events.ndjson").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines]
