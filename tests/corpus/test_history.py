"""The history of a bug: what its releases say together, and its file."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.history import (
    ANOTHER,
    FILE,
    RIGHT,
    SAME,
    UNAVAILABLE,
    UNTRIED,
    WORDS,
    History,
    Release,
    in_order,
    read_history,
    together,
)
from corpus.load import InputError

LETTERS = {"r": RIGHT, "s": SAME, "a": ANOTHER, "u": UNAVAILABLE, ".": UNTRIED}


def history(letters: str) -> History:
    """Releases 0, 1, 2, ... with the words of these letters."""
    releases = tuple(Release(str(n), LETTERS[each]) for n, each in enumerate(letters))
    return History("3a91", "divergent | F01", "opencv", "opencv-python-headless", releases)


@pytest.mark.parametrize(
    ("letters", "first_bad", "last_good", "last_bad", "first_good"),
    [
        ("rrssrr", "2", "1", "3", "4"),
        ("ssr", "0", None, "1", "2"),
        ("rss", "1", "0", "2", None),
        ("rr", None, None, None, None),
        ("", None, None, None, None),
        ("rus.ur", "2", "0", "2", "5"),
        ("ra.asarr", "4", "0", "4", "6"),
        ("rsrsr", "1", "0", "3", "4"),
    ],
)
def test_the_ends_of_a_bug(
    letters: str,
    first_bad: str | None,
    last_good: str | None,
    last_bad: str | None,
    first_good: str | None,
) -> None:
    told = history(letters)
    found = (told.first_bad, told.last_good, told.last_bad, told.first_good)
    assert found == (first_bad, last_good, last_bad, first_good)


def test_a_bug_that_comes_back_is_told_from_one_that_stays() -> None:
    assert history("rsrsr").comes_and_goes
    assert not history("rsuasr").comes_and_goes
    assert [each.word for each in history("rsuas").between("1", "4")] == [UNAVAILABLE, ANOTHER]


TEXTS = st.text(max_size=20)
VERSIONS = st.from_regex(r"[0-9][a-z0-9.+]{0,10}", fullmatch=True)
RELEASES = st.builds(Release, VERSIONS, st.sampled_from(WORDS), TEXTS)
HISTORIES = st.builds(
    History, TEXTS, TEXTS, TEXTS, TEXTS, st.lists(RELEASES).map(tuple), TEXTS, st.booleans()
)


@given(HISTORIES)
def test_a_history_survives_json(told: History) -> None:
    assert History.from_dict(json.loads(told.to_json())) == told


def test_a_folder_may_hold_none(tmp_path: Path) -> None:
    assert read_history(tmp_path) is None
    (tmp_path / FILE).write_text(history("rs").to_json())
    assert read_history(tmp_path) == history("rs")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        "[" * 10_000,
        history("rs").to_json().replace('"schema": 1', '"schema": 2'),
        history("rs").to_json().replace(SAME, "<b>fine</b>"),
        history("rs").to_json().replace('"3a91"', "7"),
        history("rs").to_json().replace('"version": "0"', '"version": "[x](y)"'),
        history("rs").to_json().replace('"releases"', '"others"'),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=r"since\.json is damaged"):
        read_history(tmp_path)


def test_every_version_has_its_release() -> None:
    tried = {"2": Release("2", SAME)}
    assert in_order(("1", "2"), tried) == (Release("1", UNTRIED), Release("2", SAME))


def test_what_was_known_before_is_not_forgotten() -> None:
    def in_digits(versions: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(set(versions)))

    old, new = history("rs.s"), history(".rrs")
    merged = together(old, new, in_digits)
    assert [each.word for each in merged.releases] == [RIGHT, RIGHT, RIGHT, SAME]
    other = replace(old, signature="divergent | F02")
    assert together(other, new, in_digits) == new
