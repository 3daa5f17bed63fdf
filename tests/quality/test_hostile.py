"""A hostile backend: every outcome has its right name, none is lost, and nobody else is harmed."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from corpus.case import Case
from harness.backends.catalogue import PLAIN
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.bench import Bench, Contestant, set_up
from harness.campaign.judge import Task, judge
from harness.campaign.plan import Plan
from harness.campaign.resume import open_store
from harness.events import BatchJudged, CampaignFinished, FindingSaved
from harness.investigate import Dossier
from harness.run import Campaign
from tests.hostile import MOODS, mood_of

PLAN = Plan(seed=11, family="conv", scales="any", out="")
BESIDE = "engine:fault=F25"
SILENT = frozenset({""})


@contextmanager
def bench(folder: Path, *names: str, timeout: float) -> Iterator[Bench]:
    with Pool(timeout, memory=1 << 30) as pool:
        named = [each.replace("DIR", str(folder)) for each in names]
        yield set_up(pool, [Contestant(parse(name), PLAIN) for name in named])


def hostile(folder: Path) -> str:
    return f"tests.hostile:Hostile:folder={folder}"


def assert_named_rightly(words: Mapping[int, str], cases: Mapping[int, Case]) -> None:
    """Only a case that the oracle is silent about has no word."""
    wrong = {
        number: (mood_of(case), words.get(number, ""))
        for number, case in cases.items()
        if words.get(number, "") not in MOODS[mood_of(case)][1]
    }
    assert not {number: each for number, each in wrong.items() if each[1]}


def test_every_outcome_has_its_right_name(tmp_path: Path) -> None:
    numbers = range(300)
    cases = {number: PLAN.case(number) for number in numbers}
    words: dict[int, str] = {}
    beside: dict[int, str] = {}
    name = hostile(tmp_path)
    with bench(tmp_path, name, BESIDE, timeout=1.0) as both:
        for start in numbers[::50]:
            task = Task(range(start, start + 50))
            for row in judge(both, PLAN, task, deep=False).rows:
                words[row.number] = row.words.get(name, "")
                beside[row.number] = row.words.get(BESIDE, "")
    assert words.keys() == cases.keys()
    assert_named_rightly(words, cases)
    assert len({mood_of(case) for case in cases.values()}) > len(MOODS) - 3
    assert sum(not word for word in words.values()) < 10
    with bench(tmp_path, BESIDE, timeout=1.0) as alone:
        rows = judge(alone, PLAN, Task(numbers), deep=False).rows
    assert beside == {row.number: row.words.get(BESIDE, "") for row in rows}


def keep(dossier: Dossier) -> FindingSaved:
    return FindingSaved(dossier.finding, dossier.evidence, f"findings/{dossier.finding.id}")


@pytest.mark.slow
def test_a_campaign_with_it_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.law.bug.LAW_BUDGET_S", 0.1)
    monkeypatch.setattr("harness.law.bug.UNEXPLAINED_LAW_BUDGET_S", 0.1)
    plan = Plan(seed=11, family="conv", scales="any", out="", cases=5_000)
    name = hostile(tmp_path)
    tables: list[dict[str, dict[int, str]]] = []
    for number, names in enumerate(((name, "engine"), ("engine",))):
        run = tmp_path / str(number)
        run.mkdir()
        with (
            bench(tmp_path, *names, timeout=1.0) as both,
            closing(open_store(run)) as store,
        ):
            events = []
            for event in Campaign(both, plan, keep, store).events():
                store.handle(event)
                events.append(event)
        assert isinstance(events[-1], CampaignFinished)
        assert sum(each.cases for each in events if isinstance(each, BatchJudged)) == 5_000
        tables.append(verdicts(run / "run.sqlite"))
    cases = {number: plan.case(number) for number in range(5_000)}
    print(Counter(tables[0][name].values()))
    assert_named_rightly(tables[0][name], cases)
    silent = (
        tables[0][name].keys() - tables[0]["engine"].keys()
    )  # where only what no engine may do has a word
    assert tables[0][name].keys() >= tables[0]["engine"].keys()
    assert not {tables[0][name][number] for number in silent} & {"exact", "tie"}
    assert tables[0]["engine"] == tables[1]["engine"]
    assert set(tables[0]["engine"].values()) == {"exact", "tie"}


def verdicts(path: Path) -> dict[str, dict[int, str]]:
    """By backend and number."""
    found: dict[str, dict[int, str]] = {}
    with closing(sqlite3.connect(path)) as database:
        for number, backend, verdict in database.execute("select * from verdicts"):
            found.setdefault(backend, {})[number] = verdict
        assert database.execute("select count(*) from cases").fetchone() == (5_000,)
        assert database.execute("select count(*) from suspicions").fetchone() == (0,)
    return found
