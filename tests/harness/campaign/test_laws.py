"""Laws that a crew looks for: they come after their findings, and change nothing else."""

import html
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import pytest

from harness.bench import Bench
from harness.campaign.crew import CrewLost, Feeder
from harness.campaign.jobs import Jobs
from harness.campaign.journal import Past
from harness.campaign.judge import JudgedTask, Task
from harness.campaign.plan import Plan
from harness.campaign.resume import logged, open_store, past_of
from harness.campaign.supply import Supply
from harness.campaign.work import LawFound, LawWanted, Result, done
from harness.cli.keep import keep_in, rewritten_in
from harness.events import (
    CampaignFinished,
    CampaignInterrupted,
    Event,
    FindingSaved,
    LogWriter,
    LookedInto,
)
from harness.investigate import Dossier
from harness.law import Law
from harness.run import Campaign
from harness.suspect import Suspect
from reports.model import replay
from tests.harness.benches import bench_of, grouped
from tests.harness.campaign.crews import Here, Slow

FAULTY = "engine:fault=F25"
LAW = Law("groups > 1", (), 5, 4, 7, 6, ({"groups": 1, "fails": True},))


def plan(cases: int | None = 40, out: str = "", seconds: float | None = None) -> Plan:
    return Plan(1, "conv", "any", out, cases=cases, seconds=seconds, backends=(FAULTY,))


def keep(dossier: Dossier) -> FindingSaved:
    return FindingSaved(dossier.finding, dossier.evidence, f"findings/{dossier.finding.id}")


def told(*_: object) -> Law:
    return LAW


def fails(*_: object) -> Law:
    raise ZeroDivisionError("of ours")


@pytest.fixture(scope="module")
def benches() -> Iterator[tuple[Bench, Bench]]:
    """The campaign's, and the crew's."""
    with bench_of(FAULTY) as one, bench_of(FAULTY) as other:
        yield one, other


def events_of(
    benches: tuple[Bench, Bench],
    on_law: Callable[[LawWanted], list[LawFound]],
    judged: Plan,
) -> list[Event]:
    bench, theirs = benches
    crew = Here(theirs, judged, on_law)
    return list(Campaign(bench, judged, keep, crew=crew).events())


def test_a_finding_is_saved_at_once_and_again_with_its_law(
    benches: tuple[Bench, Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else about it changes, and one process finds the same."""
    events = events_of(benches, lambda law: [LawFound(law.id, LAW)], plan())
    first, second = (each for each in events if isinstance(each, FindingSaved))
    assert (first.finding.law, first.evidence.counterexamples) == ("", ())
    assert second.finding.law == "groups > 1"
    counts = second.finding.law_counts
    assert (counts.failing, counts.called_failing) == (4, 5)
    assert second.evidence.counterexamples == LAW.counterexamples
    none = first.finding.law_counts
    assert replace(second.finding, law="", law_counts=none, seen=1) == first.finding
    assert replace(second.evidence, counterexamples=()) == first.evidence
    assert second.folder == first.folder
    monkeypatch.setattr("harness.investigate.law_of", told)
    (alone,) = replay(Campaign(benches[0], plan(), keep).events()).findings
    assert replay(events).findings == (alone,)
    assert alone.finding.seen > 1


def test_a_fault_of_ours_costs_the_law_alone(
    benches: tuple[Bench, Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.campaign.work.law_of", fails)

    def on_law(law: LawWanted) -> list[LawFound]:
        found = done(benches[1], plan(), law)
        assert isinstance(found, LawFound)
        return [found]

    events = events_of(benches, on_law, plan())
    (failed,) = (each for each in events if isinstance(each, LookedInto) and each.failure)
    assert (failed.backend, failed.step) == (FAULTY, "explaining")
    assert "ZeroDivisionError: of ours" in failed.failure
    (saved,) = (each for each in events if isinstance(each, FindingSaved))
    assert saved.finding.law == ""
    assert isinstance(events[-1], CampaignFinished)


class Deadly:
    """A suspect whose law ends whatever process looks for it."""

    @property
    def signature(self) -> None:
        os._exit(9)


def test_a_law_that_ends_its_job_is_given_up_and_the_job_judges_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.campaign.jobs.MOST_DEATHS", 2)
    suspect: Suspect = Deadly()  # type: ignore[assignment]
    with closing(Jobs(plan(), 1, busy=1)) as crew:
        crew.give(LawWanted("1a2b", suspect, grouped()))
        crew.give(Task(range(2)))
        results: list[Result] = []
        pids, end = set[int](), time.monotonic() + 60
        while len(results) < 2:
            assert time.monotonic() < end
            pids.update(crew.pids())
            results += [each for each, _ in crew.take(0.5)]
        assert len(pids) == 3
        law, judged = results
        assert law == LawFound("1a2b")
        assert isinstance(judged, JudgedTask)
        assert [row.number for row in judged.rows] == [0, 1]


@pytest.mark.parametrize(
    ("wanted", "suspicions", "laws"), [(20, 0, 10), (200, 0, 20), (20, 100, 18)]
)
def test_laws_and_cases_take_turns_unless_there_is_enough_of_one(
    wanted: int, suspicions: int, laws: int
) -> None:
    """Neither waits for ever; where much waits for the campaign, or many laws, those go first."""
    crew = Slow(suspicions)
    suspect: Suspect = Deadly()  # type: ignore[assignment]
    with Feeder(crew, Supply(plan(10_000))) as feeder:
        while len(crew.given) < 4:
            time.sleep(0.01)
        for number in range(wanted):
            feeder.want(LawWanted(str(number), suspect, grouped()))
        crew.left = 20
        while len(crew.given) < 24:
            time.sleep(0.01)
    later = crew.given[4:24]
    given = [each.id for each in later if isinstance(each, LawWanted)]
    assert given == [str(number) for number in range(len(given))]
    assert abs(len(given) - laws) <= 2


def test_laws_are_waited_for_within_the_overtime_and_no_longer(
    benches: tuple[Bench, Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.campaign.supply.GRACE_SECONDS", 1.5)
    events = events_of(benches, lambda law: [], plan(cases=None, seconds=3.0))
    assert isinstance(events[-1], CampaignFinished)
    assert 4.4 < events[-1].seconds < 15
    assert [each.finding.law for each in replay(events).findings] == [""]


def test_without_a_time_all_laws_are_waited_for(benches: tuple[Bench, Bench]) -> None:
    """However long after everything else they come."""
    crew = Here(benches[1], plan(), lambda law: [LawFound(law.id, LAW)], ticks=300)
    events = list(Campaign(benches[0], plan(), keep, crew=crew).events())
    assert isinstance(events[-2], FindingSaved)
    assert [each.finding.law for each in replay(events).findings] == [LAW.text]


def lost(law: LawWanted) -> list[LawFound]:
    raise CrewLost("nobody is left")


def session(out: Path, bench: Bench, crew: Here | None) -> list[Event]:
    """One session of a run, written down; it goes on with what is there, until its crew is lost."""
    is_new = not (out / "run.sqlite").exists()
    past = Past() if is_new else past_of(out, logged(out))
    events: list[Event] = []
    with (
        closing(open_store(out)) as store,
        LogWriter(out / "events.ndjson") as log,
        suppress(CrewLost),
    ):
        campaign = Campaign(
            bench,
            plan(out=str(out)),
            keep_in(out, patience=5.0),
            store,
            crew,
            past,
            rewrite=rewritten_in(out),
        )
        for event in campaign.events():
            store.handle(event)
            log.handle(event)
            events.append(event)
    return events


def test_a_law_that_was_not_found_is_looked_for_again(
    benches: tuple[Bench, Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the finding's folder alone: by a crew that is lost, too, and then without one."""
    bench, theirs = benches
    for _ in range(2):
        events = session(tmp_path, bench, Here(theirs, plan(), lost))
        assert isinstance(events[-1], CampaignInterrupted)
    (saved,) = replay(tmp_path).findings
    assert saved.finding.law == ""
    asked: list[Suspect] = []

    def law_of(bench: Bench, suspect: Suspect, *_: object) -> Law:
        asked.append(suspect)
        return LAW

    monkeypatch.setattr("harness.campaign.work.law_of", law_of)
    events = session(tmp_path, bench, None)
    assert isinstance(events[-1], CampaignFinished)
    (suspect,) = asked
    assert suspect.signature.id == saved.finding.id
    assert suspect.matches == saved.finding.diagnosis
    (again,) = replay(tmp_path).findings
    assert again.finding.law == LAW.text
    assert again.finding.seen > 1
    kept = json.loads((tmp_path / again.folder / "finding.json").read_text())
    assert kept["law"] == LAW.text
    assert LAW.text in html.unescape((tmp_path / again.folder / "report.html").read_text())
    assert session(tmp_path, bench, None)[1:] == [CampaignFinished(ANY)]
    assert len(asked) == 1
