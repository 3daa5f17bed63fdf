"""Two releases in one campaign: what is fixed, new, in both; what was not met is replayed."""

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from corpus.changes import Compared
from corpus.finding import Finding
from corpus.history import RIGHT, SAME, UNTRIED
from harness.backends.pool import Pool
from harness.bench import Bench
from harness.cli import run
from harness.cli.releases import comparing
from harness.events import (
    CampaignFinished,
    CampaignInterrupted,
    Event,
    FindingSaved,
    LogWriter,
    ReleasesCompared,
)
from harness.releases.compare import bugs_seen, compare, lines
from harness.releases.verdicts import answers, changed
from tests.harness.benches import bench_of
from tests.harness.releases.engine import NAME, interpreter
from tests.harness.releases.test_trace import keep
from tests.reports import samples

OLD, NEW = "1.9", "3.0"


def database(
    folder: Path, older: str, newer: str, rows: Mapping[int, tuple[str, str]]
) -> Path:
    """A ``run.sqlite`` with the verdicts of two backends by case."""
    path = folder / "run.sqlite"
    with sqlite3.connect(path) as store:
        store.execute("create table verdicts (number integer, backend text, verdict text)")
        store.executemany(
            "insert into verdicts values (?, ?, ?)",
            [
                (number, backend, word)
                for number, words in rows.items()
                for backend, word in zip((older, newer), words, strict=True)
            ],
        )
    store.close()
    return path


def test_answers_are_counted_over_the_cases_that_both_judged(tmp_path: Path) -> None:
    rows = dict.fromkeys(range(10), ("exact", "exact"))
    rows |= dict.fromkeys(range(10, 20), ("divergent", "exact")) | {20: ("exact", "tie")}
    path = database(tmp_path, "old", "new", rows)
    with sqlite3.connect(path) as store:
        store.execute("insert into verdicts values (99, 'new', 'crashed')")
    store.close()
    counted = answers(path, [("old", "new"), ("old", "absent")])
    assert sum(each.answers for each in counted) == 21
    first, second = changed(counted)
    assert (first.before, first.after, first.answers) == ("divergent", "exact", 10)
    assert first.cases == (10, 11, 12, 13, 14)
    assert (second.change, second.cases) == ("another allowed value", (20,))


def test_one_bug_in_both_is_one_bug_and_regressions_come_first() -> None:
    words = {"a": "divergent | F01", "b": "divergent | F01", "c": "refused | x", "d": "new"}
    shown = {
        "a": {OLD: SAME, NEW: RIGHT},
        "b": {OLD: UNTRIED, NEW: SAME},
        "c": {OLD: SAME, NEW: RIGHT},
        "d": {OLD: RIGHT, NEW: SAME},
        "e": {OLD: RIGHT, NEW: RIGHT},
    }
    seen = bugs_seen({**words, "e": "of a third release"}, shown, OLD, NEW)
    assert [(each.signature, each.change) for each in seen] == [
        ("new", "new"),
        ("refused | x", "fixed"),
        ("divergent | F01", "in both"),
    ]
    assert seen[-1].findings == ("a", "b")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one finding, made in release 3.0."""
    out = tmp_path_factory.mktemp("out")
    kept = keep(out, "F25")
    saved = FindingSaved(
        Finding.from_dict(json.loads((kept / "finding.json").read_text())),
        samples.evidence(),
        "found",
    )
    with LogWriter(out / "events.ndjson") as log:
        log.handle(saved)
    return out


@pytest.fixture
def bench(found: Path) -> Iterator[Bench]:
    """Release 3.0 of that run with an older one, which is right."""
    older = interpreter(found, sys.executable, OLD, "right")
    with bench_of(f"{NAME}@{found / NEW / 'python'}", f"{NAME}@{older}") as opened:
        yield opened


@pytest.fixture
def folder(found: Path, bench: Bench, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    shutil.copytree(found, out)
    newer, older = (each.text for each in bench.specs)
    database(out, older, newer, {0: ("exact", "divergent"), 1: ("exact", "exact")})
    return out


def test_a_campaign_with_two_releases_ends_with_what_changed(
    bench: Bench, folder: Path
) -> None:
    (line,) = lines(bench)
    assert [label for label, _ in line.releases] == [OLD, NEW]
    told, last = comparing(iter([CampaignFinished(9.0)]), bench, folder)
    assert last == CampaignFinished(9.0)
    assert isinstance(told, ReleasesCompared)
    (compared,) = told.compared
    assert isinstance(compared, Compared)
    assert [(each.signature, each.change) for each in compared.bugs] == [
        ("divergent | F25", "new")
    ]
    assert compared.answers == 2
    assert compared.answers_by_change() == {"right before, wrong now": 1}
    assert list(told.findings.values()) == [{OLD: RIGHT, NEW: SAME}]


def test_an_interrupted_campaign_replays_nothing(
    bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise KeyboardInterrupt("SIGINT")

    monkeypatch.setattr(Pool, "run_one", never)
    told, last = comparing(iter([CampaignInterrupted(9.0)]), bench, folder)
    assert isinstance(told, ReleasesCompared)
    assert list(told.findings.values()) == [{OLD: UNTRIED, NEW: SAME}]
    assert last == CampaignInterrupted(9.0)
    events: list[Event] = []
    with pytest.raises(KeyboardInterrupt):
        events.extend(comparing(iter([CampaignFinished(9.0)]), bench, folder))
    assert [type(each).__name__ for each in events] == [
        "ReleasesCompared",
        "CampaignInterrupted",
    ]


def test_one_release_is_compared_with_nothing(tmp_path: Path) -> None:
    with bench_of("engine", "engine:fusion=off") as bench:
        assert lines(bench) == ()
        assert compare(bench, (), tmp_path) is None
        events = [CampaignFinished(1.0)]
        assert list(comparing(iter(events), bench, tmp_path)) == events


def test_builds_of_one_version_are_told_apart_by_their_place(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = {
        key: replace(description, version="2.0")
        for key, description in bench.descriptions.items()
    }
    (line,) = lines(replace(bench, descriptions=same))
    assert [label for label, _ in line.releases] == [
        f"2.0 ({spec.python})" for spec in bench.specs
    ]


@pytest.mark.slow
def test_a_whole_campaign_tells_it_everywhere(tmp_path: Path) -> None:
    backends = [
        f"{NAME}@{interpreter(tmp_path, sys.executable, version, behaves)}"
        for version, behaves in ((NEW, "F19"), (OLD, "F25"))
    ]
    out = tmp_path / "run"
    arguments = ["-b", backends[0], "-b", backends[1], "--cases", "64", "--seed", "1"]
    assert run(["fuzz", *arguments, "--out", str(out)]) == 1
    (compared,) = json.loads((out / "summary.json").read_text())["releases"]
    changes = {each["signature"]: each["change"] for each in compared["bugs"]}
    assert changes["divergent | F25"] == "fixed"
    assert changes["divergent | F19"] == "new"
    assert f"What changed between {NAME}" in (out / "index.html").read_text()
    for each in json.loads((out / "summary.json").read_text())["findings"]:
        kept = json.loads((out / "findings" / each["id"] / "finding.json").read_text())
        assert set(kept["releases"]) == {OLD, NEW}
        page = (out / "findings" / each["id"] / "report.html").read_text()
        assert "the same bug in" in page


@pytest.mark.slow
@pytest.mark.backend("ort")
def test_two_releases_of_onnxruntime_are_told_apart(tmp_path: Path) -> None:
    given = dict(
        each.split("=", 1) for each in os.environ.get("QUANTDIFF_ORT", "").split(",") if each
    )
    if "1.20.1" not in given:
        pytest.skip("name an interpreter with onnxruntime 1.20.1: QUANTDIFF_ORT=1.20.1=PATH")
    out = tmp_path / "run"
    backends = ["-b", "ort:level=all", "-b", f"ort:level=all@{given['1.20.1']}"]
    arguments = ["--family", "matmul", "--cases", "300", "--seed", "1"]
    assert run(["fuzz", *backends, *arguments, "--out", str(out)]) == 1
    (compared,) = json.loads((out / "summary.json").read_text())["releases"]
    assert (compared["engine"], compared["older"]) == ("onnxruntime", "1.20.1")
    changes = {each["signature"]: each["change"] for each in compared["bugs"]}
    assert changes["divergent | F62"] == "fixed"  # microsoft/onnxruntime 28130
    assert changes["divergent | F60"] == "in both"
