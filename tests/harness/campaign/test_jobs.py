"""Jobs: the same findings however many there are; what dies is replaced, and what cannot be is said."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import pytest

from corpus.finding import Finding
from harness.campaign.crew import CrewLost, Feeder
from harness.campaign.jobs import Jobs
from harness.campaign.judge import JudgedTask, Task
from harness.campaign.plan import Plan
from harness.campaign.supply import MOST_CASES, Supply
from harness.campaign.work import Result, Work
from harness.errors import BadInput
from harness.events import Event, FindingSaved
from harness.investigate import Dossier
from harness.run import Campaign
from reports.model import replay
from tests.harness.benches import bench_of
from tests.quality.campaigns import kill

FAULTY = "engine:fault=F25"


def plan(cases: int, *names: str) -> Plan:
    return Plan(1, "conv", "any", "", cases=cases, backends=names or ("engine",))


def keep(dossier: Dossier) -> FindingSaved:
    return FindingSaved(dossier.finding, dossier.evidence, f"findings/{dossier.finding.id}")


def told(events: Sequence[Event]) -> list[Finding]:
    return [each.finding for each in replay(events).findings]


def test_one_job_and_two_find_the_same_as_often() -> None:
    judged = plan(100, FAULTY)
    with bench_of(FAULTY) as bench:
        alone = list(Campaign(bench, judged, keep).events())
        with closing(Jobs(judged, 2, busy=1)) as crew:
            together = list(Campaign(bench, judged, keep, crew=crew).events())
    (finding,) = told(alone)
    assert finding.signature == "engine | divergent | F25"
    assert (finding.seen > 1, finding.law != "") == (True, True)
    assert told(together) == [replace(finding, law_counts=told(together)[0].law_counts)]


def test_a_job_that_is_killed_is_replaced_and_its_cases_are_judged_once() -> None:
    judged = plan(200)
    numbers: list[int] = []
    with closing(Jobs(judged, 2, busy=1)) as crew, Feeder(crew, Supply(judged)) as feeder:
        for each in feeder.judged():
            if len(numbers) in range(1, 60):
                kill(crew.pids()[0])
            numbers += [row.number for row in each.rows]
    assert numbers == list(range(200))


class NobodyLeft:
    """A crew that is lost after its first task."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def is_free(self) -> bool:
        return not self.tasks

    def give(self, work: Work) -> None:
        assert isinstance(work, Task)
        self.tasks.append(work)

    def take(self, seconds: float) -> list[tuple[Result, float]]:
        task = self.tasks.pop()
        if task.numbers.start:
            raise CrewLost("nobody is left")
        return [(JudgedTask(task.numbers, (), (), {}, {}, {}), 0.1)]

    def close(self) -> None:
        pass


class Fast:
    """A crew that judges at once; with ``hangs_at`` it never gives back the tasks from that number on."""

    def __init__(self, hangs_at: int = 1_000_000) -> None:
        self.tasks: list[Task] = []
        self.hangs_at = hangs_at

    def is_free(self) -> bool:
        return len(self.tasks) < 4

    def give(self, work: Work) -> None:
        assert isinstance(work, Task)
        self.tasks.append(work)

    def take(self, seconds: float) -> list[tuple[Result, float]]:
        done = [each for each in self.tasks if each.numbers.start < self.hangs_at]
        self.tasks = [each for each in self.tasks if each.numbers.start >= self.hangs_at]
        time.sleep(0.0 if done else 0.01)
        return [(JudgedTask(each.numbers, (), (), {}, {}, {}), 0.1) for each in done]

    def close(self) -> None:
        pass


def timed(crew: Fast, slow: float) -> list[int]:
    """The numbers that are settled, where settling the first task takes longer than the time."""
    supply = Supply(Plan(1, "conv", "any", "", seconds=0.2))
    numbers: list[int] = []
    with Feeder(crew, supply) as feeder:
        for each in feeder.judged():
            if not numbers:
                time.sleep(slow)
            numbers += each.numbers
    return numbers


def test_what_was_judged_before_the_time_was_over_is_settled() -> None:
    numbers = timed(Fast(), slow=0.5)
    assert len(numbers) > 100
    assert numbers == list(range(len(numbers)))


def test_nobody_waits_long_for_what_is_not_judged_when_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.campaign.supply.GRACE_SECONDS", 0.3)
    start = time.monotonic()
    numbers = timed(Fast(hangs_at=100), slow=0.0)
    assert 100 <= len(numbers) < 100 + MOST_CASES
    assert numbers == list(range(len(numbers)))
    assert time.monotonic() - start < 5


def test_bugs_that_were_judged_in_time_are_found_after_it() -> None:
    judged = Plan(1, "conv", "any", "", seconds=0.1, backends=(FAULTY,))
    with bench_of(FAULTY) as bench, closing(Jobs(judged, 1, busy=1)) as crew:
        events = list(Campaign(bench, judged, keep, crew=crew).events())
    assert [each.finding.signature for each in events if isinstance(each, FindingSaved)]


def test_a_crew_that_is_lost_ends_the_campaign_after_what_it_judged() -> None:
    with Feeder(NobodyLeft(), Supply(plan(100))) as feeder:
        results = feeder.judged()
        assert next(results).numbers == range(1)
        with pytest.raises(CrewLost, match="nobody is left"):
            next(results)


def test_what_a_job_cannot_run_is_bad_input() -> None:
    judged = plan(10, "tests.fakes:no_such_function")
    with (
        closing(Jobs(judged, 1, busy=1)) as crew,
        Feeder(crew, Supply(judged)) as feeder,
        pytest.raises(BadInput, match="no_such_function"),
    ):
        next(feeder.judged())
