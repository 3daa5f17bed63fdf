"""What a person sees while a campaign runs, and afterwards."""

import io
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from rich.console import Console as RichConsole

from corpus.finding import LawCounts
from harness.events import (
    BackendSkipped,
    CampaignInterrupted,
    CampaignResumed,
    CampaignStarted,
    Event,
    FindingSaved,
    LookedInto,
)
from reports import closing, console
from reports.model import replay
from tests.reports import samples

Golden = Callable[[str, str], None]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(events: Iterable[Event], stream: io.StringIO, every_seconds: float = 1e9) -> str:
    handler = console.Console(stream, every_seconds=every_seconds)
    for event in events:
        handler.handle(event)
    handler.close()
    return stream.getvalue()


def test_a_finished_campaign(golden: Golden) -> None:
    golden("console.txt", console.render(replay(samples.campaign())))


def test_a_live_campaign_without_a_terminal(golden: Golden) -> None:
    golden("console_live.txt", shown(samples.campaign(), io.StringIO()))


def test_one_finding_block(golden: Golden) -> None:
    event = FindingSaved(samples.finding(), samples.evidence(), "findings/3a91")
    block = console.finding_block(event, "out")
    golden("finding_block.txt", "\n".join(line.plain for line in block) + "\n")


def lawless() -> FindingSaved:
    none = LawCounts(0, 0, 0, 0)
    finding = replace(samples.finding(), law="", law_counts=none)
    return FindingSaved(finding, samples.evidence(), "findings/3a91")


def test_a_law_that_comes_later_is_one_line(golden: Golden) -> None:
    """The finding is not shown again; what is shown at the end has the law."""
    start, batch, found, *rest = samples.campaign()
    events = (start, lawless(), batch, found, found, *rest)
    golden("console_law.txt", shown(events, io.StringIO()))
    assert console.render(replay(events)) == console.render(
        replay((start, batch, found, *rest))
    )


def test_that_there_is_no_law_is_no_news() -> None:
    events = (samples.campaign()[0], lawless())
    without = replace(lawless(), finding=replace(lawless().finding, seen=2))
    assert shown((*events, without), io.StringIO()) == shown(events, io.StringIO())


def test_a_run_that_goes_on_is_followed_and_says_no_finding_again() -> None:
    *before, last = samples.campaign()
    stream = io.StringIO()
    handler = console.Console(stream, every_seconds=1e9, so_far=replay(before))
    for event in (CampaignResumed(), last):
        handler.handle(event)
    said, whole = stream.getvalue(), shown(samples.campaign(), io.StringIO())
    assert said.splitlines()[0] == whole.splitlines()[0]
    assert (
        said.splitlines()[1]
        == "  fuzz  12,418 cases · 104/s · 2 findings (opencv 1, ort 1) · 0:00 left"
    )
    assert whole.endswith("".join(said.splitlines(keepends=True)[2:]))
    assert "every wrong value reproduced" not in said


def test_progress_lines_come_now_and_then() -> None:
    assert shown(samples.campaign(), io.StringIO(), every_seconds=0.0).count("  fuzz  ") == 7
    assert shown(samples.campaign(), io.StringIO()).count("  fuzz  ") == 1


def test_a_terminal_shows_the_same_and_gets_its_cursor_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = shown(samples.campaign(), Terminal())
    assert "\x1b[?25l" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "1 node, 611 bytes" in text
    assert text.endswith("report out/index.html\n")


def test_closing_in_the_middle_gives_the_terminal_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    text = shown(samples.campaign()[:2], Terminal())
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_quiet_shows_findings_and_the_closing_summary() -> None:
    stream = io.StringIO()
    handler = console.Console(stream, every_seconds=0.0, quiet=True)
    for event in samples.campaign():
        handler.handle(event)
    said = stream.getvalue()
    assert said.startswith("  3a91  opencv")
    assert said.count("  fuzz  ") == 1
    assert said.endswith("report out/index.html\n")


def test_progress_says_what_is_looked_into_until_it_is_found() -> None:
    start, batch = samples.campaign()[:2]
    looking = replay((start, batch, LookedInto("opencv", "Conv", "reducing")))
    assert "· reducing opencv Conv ·" in console.progress(looking, "fuzz")
    found = FindingSaved(samples.finding(), samples.evidence(), "findings/3a91")
    after = replay((start, batch, LookedInto("opencv", "Conv", "reducing"), found))
    assert "reducing" not in console.progress(after, "fuzz")


def test_many_bugs_are_counted_and_the_most_frequent_are_listed() -> None:
    saved = FindingSaved(samples.finding(), samples.evidence(), "findings/3a91")
    many = tuple(
        replace(saved, finding=replace(saved.finding, id=f"b{number:02}", seen=number))
        for number in range(1, 31)
    )
    lines = [line.plain for line in closing.bugs(replay((samples.campaign()[0], *many)))]
    assert len(lines) == 13
    assert lines[0].startswith("  b30  opencv  Conv2Int8")
    assert lines[-1] == "  and 18 more bugs, see the report"


def test_a_backend_with_a_long_name_squeezes_no_column() -> None:
    start = samples.campaign()[0]
    assert isinstance(start, CampaignStarted)
    long = replace(start.backends[0], name="ort@../releases/of/another/year/1.20.1/bin/python")
    text = console.render(replay((replace(start, backends=(long,)), *samples.campaign()[1:])))
    heads = next(line for line in text.splitlines() if line.startswith("  backend"))
    assert heads.split() == [
        "backend",
        "right",
        "wrong",
        "refused",
        "crashed",
        "timed",
        "out",
        "bugs",
    ]
    assert len(heads) <= 80


def test_nothing_is_shown_before_the_start() -> None:
    assert shown(samples.campaign()[1:], io.StringIO()) == ""


def test_a_skipped_backend_and_an_interruption_are_said() -> None:
    start, batch = samples.campaign()[:2]
    events = (
        start,
        BackendSkipped("openvino", "not installed"),
        batch,
        CampaignInterrupted(61.0),
    )
    text = shown(events, io.StringIO())
    assert "  openvino takes no part: not installed\n" in text
    assert "interrupted after 1:01" in text


def test_what_is_left_follows_from_the_cases_when_they_are_planned() -> None:
    start = samples.campaign()[0]
    assert isinstance(start, CampaignStarted)
    planned = replace(start, planned_seconds=None, planned_cases=12_418)
    assert console.progress(replay((planned, samples.campaign()[1])), "fuzz").endswith(
        "0:30 left"
    )
    unplanned = replace(start, planned_seconds=None)
    assert console.progress(replay((unplanned,)), "check").endswith("0:00 so far")


@pytest.mark.parametrize("name", samples.HOSTILE)
def test_hostile_names_neither_style_nor_move_anything(name: str) -> None:
    text = shown((samples.campaign()[0], samples.hostile(name)), io.StringIO())
    assert "\x1b" not in text
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text) < 5000


def test_markup_in_a_name_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    text = shown((samples.campaign()[0], samples.hostile("[red]loud[/red]")), Terminal())
    assert "[red]loud[/red]" in text


def test_a_block_fits_its_own_columns() -> None:
    stream = io.StringIO()
    for line in console.finding_block(samples.saturation(), "out"):
        RichConsole(file=stream, soft_wrap=True).print(line)
    rows = stream.getvalue().splitlines()[1:]
    starts = ("wrong values", "without them", "out/findings")
    columns = {row.index(start) for row, start in zip(rows, starts, strict=True)}
    assert len(columns) == 1
