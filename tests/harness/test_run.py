"""Campaigns: what is counted, what is found, what is kept when somebody interrupts."""

import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import count
from typing import Any

import pytest

from corpus.case import Case
from harness.bench import Bench
from harness.campaign.journal import NoJournal, Past
from harness.campaign.judge import JudgedTask
from harness.events import (
    BatchJudged,
    CampaignFinished,
    CampaignInterrupted,
    CampaignStarted,
    Event,
    FindingSaved,
    FindingSeen,
)
from harness.investigate import Dossier
from harness.outcome import Crashed, Refused, TimedOut
from harness.run import Campaign, Plan
from harness.verdicts import verdict_on
from reports import closing
from reports.model import replay
from tests.harness.benches import bench_of


def plan(cases: int = 64) -> Plan:
    return Plan(seed=1, family="conv", scales="any", out="out", cases=cases)


def keep(dossier: Dossier) -> FindingSaved:
    return FindingSaved(dossier.finding, dossier.evidence, f"findings/{dossier.finding.id}")


def events_of(name: str, cases: int = 64) -> list[Event]:
    with bench_of(name) as bench:
        return list(Campaign(bench, plan(cases), keep).events())


def test_a_right_backend_gives_no_finding_and_every_case_is_counted() -> None:
    events = events_of("engine", cases=100)
    assert isinstance(events[0], CampaignStarted)
    assert isinstance(events[-1], CampaignFinished)
    batches = [each for each in events if isinstance(each, BatchJudged)]
    assert sum(each.cases for each in batches) == 100
    counts = [each.counts["engine"] for each in batches if each.counts]
    compared = sum(each.comparisons for each in batches)  # the oracle is silent about a few
    assert sum(each.exact + each.tie for each in counts) == compared > 90
    assert not [each for each in events if isinstance(each, FindingSaved)]


def test_one_bug_is_one_finding_and_later_sightings_are_counted() -> None:
    events = events_of("engine:fault=F25", cases=192)
    saved = [each.finding for each in events if isinstance(each, FindingSaved)]
    assert [each.diagnosis[0].fault for each in saved] == ["F25"]
    seen = [each.seen for each in events if isinstance(each, FindingSeen)]
    assert seen == sorted(seen)
    assert seen[-1] > 10


def test_a_fault_of_ours_in_every_way_to_keep_a_finding_costs_that_finding_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("harness.run.investigate", fails)
    report = replay(events_of("engine:fault=F25", cases=128))
    assert (report.state, report.cases, report.findings) == ("finished", 128, ())
    assert any(each.startswith("keeping") for each in report.failures)
    assert all(
        "ZeroDivisionError: of ours" in closing.failure_line(each) for each in report.failures
    )


def test_a_finding_that_cannot_be_stored_costs_that_finding_alone() -> None:
    def fails(_: Dossier) -> FindingSaved:
        raise ZeroDivisionError("of ours")

    with bench_of("engine:fault=F25") as bench:
        report = replay(Campaign(bench, plan(128), fails).events())
    assert (report.state, report.cases, report.findings) == ("finished", 128, ())
    assert "keeping engine:fault=F25" in report.failures[0]


@pytest.mark.parametrize("step", ["shrink", "law_of"])
def test_a_fault_of_ours_costs_neither_the_campaign_nor_the_finding(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of ours")

    module = "harness.run" if step == "shrink" else "harness.investigate"
    monkeypatch.setattr(f"{module}.{step}", fails)
    events = events_of("engine:fault=F25", cases=128)
    report = replay(events)
    assert report.state == "finished"
    assert report.cases == 128
    assert {each.finding.diagnosis[0].fault for each in report.findings} == {"F25"}
    said = closing.failure_line(report.failures[0])
    assert "ZeroDivisionError: of ours" in said
    assert "File " in said


@pytest.mark.parametrize(
    "place", ["harness.campaign.judge.judge_all", "harness.campaign.plan.draw_case"]
)
def test_a_fault_of_ours_in_one_case_costs_that_case_alone(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, _once(place))
    report = replay(events_of("engine:fault=F25", cases=128))
    assert (report.state, report.cases) == ("finished", 128)
    (failure,) = report.failures
    said = closing.failure_line(failure)
    assert "judging quantdiff case " in said
    assert "ZeroDivisionError: of ours" in said
    assert "the case is left out" in said
    assert report.findings
    right = replay(events_of("engine:fault=F25", cases=128))
    assert right.comparisons - report.comparisons == 1


def _once(place: str, nth: int = 5) -> Callable[..., object]:
    """What is at the place, but it fails when it is called for the nth time."""
    module, _, name = place.rpartition(".")
    proper, calls = getattr(import_module(module), name), count(1)

    def fails(*given: object) -> object:
        if next(calls) == nth:
            raise ZeroDivisionError("of ours")
        return proper(*given)

    return fails


def test_a_fault_of_ours_while_a_case_is_answered_costs_that_case_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proper, bad = Bench.run_all, plan().case(17).digest

    def fails(bench: Bench, cases: Sequence[Case], *given: Any) -> object:
        if bad in [each.digest for each in cases]:
            raise ZeroDivisionError("of ours")
        return proper(bench, cases, *given)

    monkeypatch.setattr(Bench, "run_all", fails)
    report = replay(events_of("engine:fault=F25", cases=128))
    assert (report.state, report.cases) == ("finished", 128)
    (failure,) = report.failures
    assert "ZeroDivisionError: of ours" in closing.failure_line(failure)
    assert report.findings


def test_a_fault_of_ours_while_a_wrong_answer_is_looked_into_costs_that_answer_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = "harness.campaign.suspicions.every_suspect"
    monkeypatch.setattr(place, _once(place, 1))
    report = replay(events_of("engine:fault=F25", cases=128))
    assert (report.state, report.cases, len(report.failures)) == ("finished", 128, 1)
    assert {each.finding.diagnosis[0].fault for each in report.findings} == {"F25"}


def test_the_same_seed_gives_the_same_cases() -> None:
    assert plan().case(17).digest == plan().case(17).digest
    assert plan().case(17).digest != plan().case(18).digest


def test_an_interrupt_ends_with_everything_found_so_far() -> None:
    with bench_of("engine:fault=F25") as bench:
        events = Campaign(bench, plan(640), keep, InterruptsAfter(100)).events()
        found = list(_until_interrupted(events))
    assert isinstance(found[-1], CampaignInterrupted)
    assert any(isinstance(each, FindingSaved) for each in found)


class InterruptsAfter(NoJournal):
    """A person who interrupts once so many cases are judged."""

    def __init__(self, cases: int) -> None:
        self.left = cases

    def judged(self, judged: JudgedTask) -> None:
        self.left -= len(judged.rows)
        if self.left <= 0:
            raise KeyboardInterrupt


def _until_interrupted(events: Iterator[Event]) -> Iterator[Event]:
    with pytest.raises(KeyboardInterrupt):
        yield from events


def test_failures_have_their_own_words() -> None:
    assert verdict_on(Refused("no", documented=True), {}) == "refused"
    assert verdict_on(Crashed("signal SIGSEGV", ""), {}) == "crashed"
    assert verdict_on(TimedOut(1.0), {}) == "timed-out"


def test_a_hang_costs_a_few_time_limits_and_nothing_is_looked_for_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.harness.benches.TIMEOUT", 0.3)
    start = time.monotonic()
    events = events_of("tests.fakes:hangs", cases=40)
    assert time.monotonic() - start < 60
    (saved,) = (each.finding for each in events if isinstance(each, FindingSaved))
    assert saved.kind == "timed-out"
    assert "time limit" in saved.message
    assert saved.law == ""
    counts = [each.counts.values() for each in events if isinstance(each, BatchJudged)]
    assert sum(each.timed_out for batch in counts for each in batch) > 1


def test_the_limit_for_unexplained_bugs_never_drops_a_diagnosed_one() -> None:
    spent = Past(
        unexplained={("engine", "divergent", op): 99 for op in ("QLinearConv", "Conv")}
    )
    with bench_of("engine:fault=F25") as bench:
        events = Campaign(bench, plan(64), keep, past=spent).events()
        saved = [each.finding for each in events if isinstance(each, FindingSaved)]
    assert [each.diagnosis[0].fault for each in saved] == ["F25"]
