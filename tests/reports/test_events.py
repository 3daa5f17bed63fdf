"""The log: what is written reads back, and what is damaged says so in one line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.changes import BugSeen, Changed, Compared
from corpus.finding import Engine, Steps
from harness.events import (
    BackendSkipped,
    BadLog,
    BatchJudged,
    CampaignFinished,
    CampaignInterrupted,
    CampaignResumed,
    CampaignStarted,
    Counts,
    Event,
    FindingSaved,
    FindingSeen,
    LogWriter,
    ReleasesCompared,
    count,
    from_json,
    read,
    to_json,
)
from tests.reports import samples

TUPLES = st.lists(st.text()).map(tuple)
COMPARED = st.builds(
    Compared,
    *[st.text()] * 3,
    st.lists(st.builds(BugSeen, st.text(), TUPLES, st.text(), st.text())).map(tuple),
    st.integers(),
    st.lists(
        st.builds(
            Changed,
            st.text(),
            st.text(),
            st.integers(),
            st.lists(st.integers()).map(tuple),
        )
    ).map(tuple),
)
COUNTS = st.builds(Counts, *[st.integers(0, 10**9)] * 7)
FLOATS = st.floats(allow_nan=False)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(CampaignResumed),
    st.builds(BackendSkipped, st.text(), st.text()),
    st.builds(FindingSeen, st.text(), st.integers()),
    st.builds(
        ReleasesCompared,
        st.lists(COMPARED, max_size=2).map(tuple),
        st.dictionaries(st.text(), st.dictionaries(st.text(), st.text())),
    ),
    st.builds(CampaignFinished, FLOATS),
    st.builds(CampaignInterrupted, FLOATS, st.text()),
    st.builds(
        BatchJudged,
        st.integers(),
        st.integers(),
        st.floats(0, 1e9),
        st.dictionaries(st.text(), COUNTS),
        st.lists(st.text()).map(tuple),
    ),
    st.builds(
        CampaignStarted,
        st.text(),
        st.integers(),
        st.text(),
        st.text(),
        st.lists(st.builds(Engine, st.text(), st.text())).map(tuple),
        st.text(),
        st.none() | st.integers(),
        st.none() | st.floats(0, 1e9),
        st.lists(st.text()).map(tuple),
    ),
)


@given(EVENTS)
def test_every_event_reads_back_from_one_strict_line(event: Event) -> None:
    line = to_json(event)
    assert "\n" not in line
    json.loads(line, parse_constant=pytest.fail)
    if not isinstance(event, CampaignFinished | CampaignInterrupted):
        assert from_json(line) == event


@pytest.mark.parametrize("event", samples.campaign(), ids=lambda each: type(each).__name__)
def test_the_sample_campaign_reads_back(event: Event) -> None:
    assert from_json(to_json(event)) == event


@pytest.mark.parametrize("name", samples.HOSTILE)
def test_hostile_names_read_back(name: str) -> None:
    event = samples.hostile(name)
    assert from_json(to_json(event)) == event


def test_values_that_json_lacks_read_back() -> None:
    infinite = float("inf")
    base = samples.evidence()
    evidence = replace(
        base,
        expected=(infinite, -infinite, 1.5),
        heat=((infinite, 0.0),),
        samples=(replace(base.samples[0], values=(-infinite,)),),
    )
    finding = replace(samples.finding(), steps=Steps(infinite, 1, 3))
    event = FindingSaved(finding, evidence, "findings/3a91")
    line = to_json(event)
    json.loads(line, parse_constant=pytest.fail)
    assert from_json(line) == event


def test_a_nan_among_the_values_reads_back_as_nan() -> None:
    base = samples.evidence()
    evidence = replace(base, samples=(replace(base.samples[0], values=(float("nan"), 2.0)),))
    event = from_json(to_json(FindingSaved(samples.finding(), evidence, "f")))
    assert isinstance(event, FindingSaved)
    nan, two = event.evidence.samples[0].values
    assert nan != nan
    assert two == 2.0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "not an event"),
        ("[1]", "not an event"),
        ('{"event": "BatchJudged"}', "not an event"),
        ("[" * 100_000, "not an event"),
        ('{"event": "BatchJudged", "schema": 2}', "needs another quantdiff"),
        ('{"event": "Unheard", "schema": 1}', "needs another quantdiff"),
        ('{"event": "FindingSeen", "schema": 1, "id": "a"}', "is damaged"),
        ('{"event": "BatchJudged", "schema": 1, "counts": 3, "cells": []}', "is damaged"),
    ],
)
def test_anything_else_is_a_bad_log(line: str, reason: str) -> None:
    with pytest.raises(BadLog, match=reason):
        from_json(line)


def write(path: Path, events: tuple[Event, ...]) -> None:
    with LogWriter(path) as log:
        for each in events:
            log.handle(each)


def test_a_log_is_readable_after_every_event(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    with LogWriter(path) as log:
        for done, event in enumerate(samples.campaign(), 1):
            log.handle(event)
            assert tuple(read(path)) == samples.campaign()[:done]


def test_a_killed_writer_loses_only_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    write(path, samples.campaign())
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    assert tuple(read(path)) == samples.campaign()[:-1]


def test_appending_after_a_kill_cuts_the_unfinished_line(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    write(path, samples.campaign())
    path.write_bytes(path.read_bytes()[:-7])
    write(path, (CampaignResumed(), CampaignFinished(3.0)))
    ending = (CampaignResumed(), CampaignFinished(3.0))
    assert tuple(read(path)) == samples.campaign()[:-1] + ending


def test_a_damaged_line_inside_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(to_json(samples.campaign()[0]).encode() + b"\n\xff\n{}\n")
    with pytest.raises(BadLog, match=r"events\.ndjson, line 2: "):
        tuple(read(path))


def test_each_verdict_is_counted_once() -> None:
    verdicts = [
        "exact",
        "tie",
        "rounding-mode",
        "divergent",
        "nonfinite",
        "wrong-type-or-shape",
    ]
    verdicts += ["nondeterministic", "refused", "crashed", "timed-out", "exact"]
    assert count(verdicts) == Counts(2, 1, 1, 4, 1, 1, 1)
    assert count(["exact"]) + count(["exact", "tie"]) == Counts(exact=2, tie=1)


def test_an_unknown_verdict_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        count(["fine"])
