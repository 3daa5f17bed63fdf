"""The timeline of a bug: on the console, on its page, beside its finding."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from corpus.history import (
    ANOTHER,
    REFUSED,
    RIGHT,
    SAME,
    UNAVAILABLE,
    UNTRIED,
    WORDS,
    History,
    Release,
)
from harness.events import FindingSaved, LogWriter
from reports import folder, html, timeline
from tests.reports import samples
from tests.reports.test_html import Page

NO_WHEEL = "no wheel of onnxruntime 1.14.0 for cpython-311-linux_x86_64"


def history() -> History:
    words = (
        ("1.14.0", UNAVAILABLE, NO_WHEEL),
        ("1.15.0", RIGHT, ""),
        ("1.16.0", REFUSED, "Fail: no kernel for this"),
        ("1.17.0", SAME, ""),
        ("1.18.0", UNTRIED, ""),
        ("1.18.1", UNTRIED, ""),
        ("1.19.0", SAME, ""),
        ("1.20.0", RIGHT, ""),
        ("1.21.0", SAME, ""),
        ("1.22.0", ANOTHER, "divergent | F50"),
        ("1.23.0", RIGHT, ""),
        ("1.24.0", UNTRIED, ""),
    )
    releases = tuple(Release(*each) for each in words)
    return History("77c0", "divergent | F79a", "ort:level=all", "onnxruntime", releases)


def test_the_table_is_read_at_a_glance(golden: Callable[[str, str], None]) -> None:
    golden("since.txt", timeline.render(history()))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((RIGHT, RIGHT), "No release that was tried shows it."),
        ((SAME, RIGHT), "First bad release: 0 or earlier; it is the oldest that was judged."),
        (
            (RIGHT, SAME),
            "First good release: none; 1, the newest that was judged, has the bug.",
        ),
        ((UNAVAILABLE,), "No release that was tried shows it."),
    ],
)
def test_what_is_not_known_is_not_claimed(words: tuple[str, ...], sentence: str) -> None:
    releases = tuple(Release(str(n), each) for n, each in enumerate(words))
    told = History("77c0", "divergent | F79a", "ort", "onnxruntime", releases)
    assert sentence in timeline.sentences(told)


def test_a_page_shows_every_release_and_is_closed_to_hostile_words() -> None:
    for name in samples.HOSTILE:
        releases = tuple(Release(name, each, name) for each in WORDS)
        told = History(name, name, name, name, releases, interrupted=True)
        page = Page(html.render_history(told))
        assert page.count("li") == len(WORDS)
        assert page.count("script") == 1
        assert page.count("img") == page.count("svg") == 0
    assert html.render_history(history()).count('class="bad"') == 3


def test_a_finding_is_rendered_again_with_its_timeline(tmp_path: Path) -> None:
    saved = FindingSaved(samples.finding(), samples.evidence(), "findings/3a91")
    with LogWriter(tmp_path / "events.ndjson") as log:
        for event in samples.campaign():
            log.handle(event)
    place = tmp_path / "findings" / "3a91"
    place.mkdir(parents=True)
    folder.write_finding(saved, tmp_path)
    assert "Since when" not in (place / "report.html").read_text()
    folder.write_history(history(), place)
    page = Page((place / "report.html").read_text())
    assert "Since when" in page.text
    assert "First bad release: 1.17.0" in page.text
    assert "since.json" in page.text
    assert "- First bad release: 1.17.0; 1.15.0 is right" in (place / "issue.md").read_text()


def test_a_finding_without_its_run_keeps_the_history_alone(tmp_path: Path) -> None:
    folder.write_history(history(), tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["since.json"]


def test_a_finding_that_its_own_release_does_not_show_is_called_out() -> None:
    told = replace(history(), met_in="1.20.0")
    assert "It was found in 1.20.0, which is right on the case now." in timeline.sentences(
        told
    )
    assert not any("found in" in each for each in timeline.sentences(history()))
