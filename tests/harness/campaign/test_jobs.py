"""Jobs: the same findings however many there are; what dies is replaced, and what cannot be is said."""

from collections.abc import Generator, Sequence
from contextlib import closing

import pytest

from harness.campaign.crew import CrewLost, Feeder
from harness.campaign.jobs import Jobs
from harness.campaign.judge import JudgedTask, Task
from harness.campaign.plan import Plan
from harness.campaign.supply import Supply
from harness.errors import BadInput
from harness.events import Event, FindingSaved, FindingSeen
from harness.investigate import Dossier
from harness.run import Campaign
from tests.harness.benches import bench_of
from tests.quality.campaigns import kill

FAULTY = "engine:fault=F25"


def plan(cases: int, *names: str) -> Plan:
    return Plan(1, "conv", "any", "", cases=cases, backends=names or ("engine",))


def keep(dossier: Dossier) -> FindingSaved:
    return FindingSaved(dossier.finding, dossier.evidence, f"findings/{dossier.finding.id}")


def summary(events: Sequence[Event]) -> list[tuple[str, int]]:
    saved = [each.finding.signature for each in events if isinstance(each, FindingSaved)]
    seen = {each.id: each.seen for each in events if isinstance(each, FindingSeen)}
    return [*((each, 1) for each in saved), *seen.items()]


def test_one_job_and_two_find_the_same_as_often() -> None:
    judged = plan(100, FAULTY)
    with bench_of(FAULTY) as bench:
        alone = list(Campaign(bench, judged, keep).events())
        with closing(Jobs(judged, 2, busy=1)) as crew:
            together = list(Campaign(bench, judged, keep, crew=crew).events())
    assert summary(alone)[0] == ("engine | divergent | F25", 1)
    assert summary(together) == summary(alone)


def test_a_job_that_is_killed_is_replaced_and_its_cases_are_judged_once() -> None:
    judged = plan(200)
    numbers: list[int] = []
    with closing(Jobs(judged, 2, busy=1)) as crew, closing(_judged(crew, judged)) as results:
        for each in results:
            if len(numbers) in range(1, 60):
                kill(crew.pids()[0])
            numbers += [row.number for row in each.rows]
    assert numbers == list(range(200))


def _judged(crew: Jobs, judged: Plan) -> Generator[JudgedTask]:
    return Feeder(crew, Supply(judged)).judged()


class NobodyLeft:
    """A crew that is lost after its first task."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def is_free(self) -> bool:
        return not self.tasks

    def give(self, task: Task) -> None:
        self.tasks.append(task)

    def take(self, seconds: float) -> list[tuple[JudgedTask, float]]:
        task = self.tasks.pop()
        if task.numbers.start:
            raise CrewLost("nobody is left")
        return [(JudgedTask(task.numbers, (), (), {}, {}, {}), 0.1)]

    def close(self) -> None:
        pass


def test_a_crew_that_is_lost_ends_the_campaign_after_what_it_judged() -> None:
    results = Feeder(NobodyLeft(), Supply(plan(100))).judged()
    assert next(results).numbers == range(1)
    with pytest.raises(CrewLost, match="nobody is left"):
        next(results)


def test_what_a_job_cannot_run_is_bad_input() -> None:
    judged = plan(10, "tests.fakes:no_such_function")
    with (
        closing(Jobs(judged, 1, busy=1)) as crew,
        closing(Feeder(crew, Supply(judged)).judged()) as results,
        pytest.raises(BadInput, match="no_such_function"),
    ):
        next(results)
