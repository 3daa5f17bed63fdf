"""Replaying a log: totals, the newest evidence, and one-line refusals."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.events import (
    BackendSkipped,
    BadLog,
    BatchJudged,
    CampaignInterrupted,
    CampaignResumed,
    CampaignStarted,
    Counts,
    FindingSaved,
    LogWriter,
)
from reports.closing import unasked_lines
from reports.model import LOG_NAME, replay
from tests.reports import samples


def test_totals_are_the_sums_of_the_batches() -> None:
    report = replay(samples.campaign())
    assert (report.cases, report.comparisons, report.seconds) == (12418, 37254, 60.0)
    assert report.state == "finished"
    assert report.cells == {"a", "b"}
    assert [engine.name for engine, _ in report.backends] == ["engine", "opencv", "ort"]
    assert report.counts["opencv"] == Counts(exact=10000, tie=20, divergent=462, refused=1936)


def test_a_finding_seen_again_counts_its_cases() -> None:
    report = replay(samples.campaign())
    assert [(each.finding.id, each.finding.seen) for each in report.findings] == [
        ("3a91", 462),
        ("77c0", 231),
    ]
    assert [each.finding.id for each in report.findings_of("ort")] == ["77c0"]


def test_better_evidence_takes_the_place_of_the_old() -> None:
    better = replace(samples.finding(), law="groups > 1")
    again = FindingSaved(better, samples.evidence(), "findings/3a91")
    report = replay((*samples.campaign(), again))
    assert [each.finding.law for each in report.findings] == ["groups > 1", ""]


def test_a_resumed_campaign_adds_its_time() -> None:
    rest = (CampaignResumed(), BatchJudged(10, 20, 5.0), CampaignInterrupted(6.0))
    report = replay((*samples.campaign()[:-1], *rest))
    assert report.cases == 12428
    assert report.seconds == pytest.approx(59.9 + 6.0, abs=0)
    assert report.state == "interrupted"


def test_the_log_of_a_killed_campaign_is_still_running() -> None:
    report = replay(samples.campaign()[:2])
    assert (report.state, report.seconds, report.cases_per_second) == (
        "running",
        30.0,
        6209 / 30,
    )


def test_a_skipped_backend_is_kept_with_its_reason() -> None:
    skipped = BackendSkipped("openvino", "openvino is not installed")
    assert replay((*samples.campaign(), skipped)).skipped == (skipped,)


def test_a_folder_is_read_where_it_lies_now(tmp_path: Path) -> None:
    with LogWriter(tmp_path / LOG_NAME) as log:
        for event in samples.campaign():
            log.handle(event)
    by_folder, by_file = replay(tmp_path), replay(tmp_path / LOG_NAME)
    assert by_folder == by_file
    assert by_folder.started.out == str(tmp_path)
    assert by_folder.findings == replay(samples.campaign()).findings


def test_no_log_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadLog, match="no such log; give the folder of a run"):
        replay(tmp_path)


def test_a_log_that_does_not_begin_is_refused() -> None:
    with pytest.raises(BadLog, match="does not begin with CampaignStarted"):
        replay(samples.campaign()[1:])


def test_a_second_start_begins_afresh() -> None:
    start = samples.campaign()[0]
    assert isinstance(start, CampaignStarted)
    assert replay((*samples.campaign(), start)).cases == 0


def test_what_a_hanging_backend_was_spared_is_summed_and_said() -> None:
    batches = [
        BatchJudged(cases=4, comparisons=4, seconds=1.0, unasked=unasked)
        for unasked in ({"ort": 3}, {}, {"ort": 2, "opencv": 1})
    ]
    report = replay((samples.campaign()[0], *batches))
    assert report.unasked == {"ort": 5, "opencv": 1}
    first, second = unasked_lines(report)
    assert "ort hung" in first
    assert "5 cases" in first
    assert "1 case " in second
