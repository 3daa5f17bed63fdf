"""Names made harmless and numbers made readable."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.text import clock, number, plural, share, short, size, visible


@given(st.text())
def test_visible_text_is_one_printable_line(text: str) -> None:
    assert visible(text).isprintable()
    if text.isprintable():
        assert visible(text) == text


@given(st.text(), st.integers(4, 100))
def test_short_text_keeps_its_limit(text: str, limit: int) -> None:
    assert len(short(text, limit)) <= limit
    assert short(text, limit).isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb", "a\\nb"),
        ("\u202eevil", "\\u202eevil"),
        ("имя 🙂", "имя 🙂"),
    ],
)
def test_control_characters_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_long_name_keeps_both_ends() -> None:
    assert short("a" * 5000 + "b" * 5000, 10) == "aaaaaa…bbb"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (255.0, "255"),
        (-3, "-3"),
        (0.0625, "0.0625"),
        (math.nan, "NaN"),
        (math.inf, "infinity"),
        (-math.inf, "-infinity"),
        (1e20, "1e+20"),
        (1 / 3, "0.3333333"),
    ],
)
def test_numbers(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (58, 100, "58 %"),
        (1, 1000, "< 1 %"),
        (999, 1000, "> 99 %"),
        (7, 7, "100 %"),
        (0, 5, "0 %"),
        (0, 0, "0 %"),
    ],
)
def test_shares_never_round_to_nothing_or_all(part: int, whole: int, shown: str) -> None:
    assert share(part, whole) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (7.4, "0:07"), (750, "12:30"), (3723, "1:02:03"), (-1, "0:00")],
)
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_counts_and_sizes() -> None:
    assert plural(1, "case") == "1 case"
    assert plural(12418, "case") == "12,418 cases"
    assert (size(611), size(12_345)) == ("611 bytes", "12 kB")
