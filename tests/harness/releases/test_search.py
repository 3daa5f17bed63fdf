"""Which release is tried next: few tell, and what lies between is not taken for granted."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.history import ANOTHER, RIGHT, SAME, UNAVAILABLE
from harness.releases.search import FEW, next_release


def searched(versions: Sequence[str], truth: Mapping[str, str], met_in: str) -> dict[str, str]:
    """What is known at the end, in the order it was tried."""
    words: dict[str, str] = {}
    while (version := next_release(versions, words, met_in)) is not None:
        assert version not in words
        words[version] = truth[version]
    return words


def releases(count: int, word: Callable[[int], str]) -> dict[str, str]:
    return {str(n): word(n) for n in range(count)}


def test_few_are_all_tried() -> None:
    truth = releases(FEW, lambda n: SAME if n == 3 else RIGHT)
    assert list(searched(list(truth), truth, "3")) == list(truth)


@given(st.integers(FEW + 1, 200), st.data())
def test_both_ends_of_one_stretch_are_found_in_few_steps(
    count: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first, count - 1))
    truth = releases(count, lambda n: SAME if first <= n <= last else RIGHT)
    words = searched(list(truth), truth, met_in=str((first + last) // 2))
    around = (first - 1, first, last, last + 1)
    assert {str(n) for n in around if 0 <= n < count} <= set(words)
    assert len(words) <= 3 + 2 * count.bit_length() + 4


@given(
    st.lists(
        st.sampled_from([RIGHT, SAME, ANOTHER, UNAVAILABLE]), min_size=FEW + 1, max_size=60
    )
)
def test_every_change_that_was_seen_is_pinned_down(drawn: list[str]) -> None:
    truth = {str(n): word for n, word in enumerate(drawn)}
    words = searched(list(truth), truth, met_in="none of them")
    told = [n for n in range(len(drawn)) if words.get(str(n)) in (RIGHT, SAME)]
    for low, high in pairwise(told):
        if words[str(low)] != words[str(high)]:
            assert all(str(n) in words for n in range(low, high))
            for n in (low - 1, high + 1):
                assert not 0 <= n < len(drawn) or str(n) in words


def test_neighbours_show_that_a_bug_comes_back() -> None:
    back = {5, 6, 8}
    truth = releases(20, lambda n: SAME if n in back else RIGHT)
    words = searched(list(truth), truth, met_in="6")
    assert words["8"] == SAME
    assert {"7", "9"} <= set(words)


@pytest.mark.parametrize("word", [UNAVAILABLE, ANOTHER])
def test_where_nothing_tells_it_is_given_up(word: str) -> None:
    truth = releases(100, lambda _: word)
    assert len(searched(list(truth), truth, "7")) == FEW


@given(st.integers(0, 70), st.integers(0, 20), st.integers(0, 70))
def test_ends_that_say_nothing_are_passed_over_in_halves(old: int, has: int, new: int) -> None:
    words = [UNAVAILABLE] * old + [RIGHT, SAME] + [SAME] * has + [RIGHT] + [UNAVAILABLE] * new
    truth = {str(n): word for n, word in enumerate(words)}
    tried = searched(list(truth), truth, met_in=str(old + 1))
    telling = {str(old), str(old + 1), str(old + 1 + has), str(old + 2 + has)}
    assert telling <= set(tried)
    assert len(tried) <= max(FEW, 4 * len(words).bit_length() + 6)
