"""Minimal sets of switches: against brute force, with few probes."""

from collections.abc import Callable, Collection
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.switches import MOST_PROBES, minimal_sets

NAMES = tuple("abcdefg")
PASSES = tuple(f"pass{number}" for number in range(40))


def monotone(*needed: str) -> Callable[[frozenset[str]], bool]:
    """Restores as soon as one of the needed sets is off."""
    return lambda off: any(off.issuperset(each) for each in needed)


def all_minimal(
    names: Collection[str], restores: Callable[[frozenset[str]], bool]
) -> set[frozenset[str]]:
    subsets = chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))
    good = [frozenset(each) for each in subsets if restores(frozenset(each))]
    return {each for each in good if not any(other < each for other in good)}


@pytest.mark.parametrize(
    ("needed", "found"),
    [
        (("a",), (("a",),)),
        (("c", "a"), (("a",), ("c",))),
        (("ab",), (("a", "b"),)),
        (("a", "bc", "de"), (("a",), ("b", "c"), ("d", "e"))),
        (("abc",), (("a", "b", "c"),)),
        (("ab", "ac", "bc"), (("a", "b"), ("a", "c"), ("b", "c"))),
        ((), ()),
    ],
)
def test_table(needed: tuple[str, ...], found: tuple[tuple[str, ...], ...]) -> None:
    assert minimal_sets(NAMES, monotone(*needed)) == found


@given(st.lists(st.sets(st.sampled_from(NAMES), min_size=1), max_size=3))
def test_finds_all_minimal_sets_of_a_monotone_predicate(needed: list[set[str]]) -> None:
    restores = monotone(*("".join(each) for each in needed))
    found = minimal_sets(NAMES, restores, max_probes=500)
    assert {frozenset(each) for each in found} == all_minimal(NAMES, restores)


@given(st.sets(st.sets(st.sampled_from("abcd"), min_size=1).map(frozenset)))
def test_whatever_the_predicate_what_is_found_restores_and_is_minimal(
    good: set[frozenset[str]],
) -> None:
    found = [frozenset(each) for each in minimal_sets("abcd", good.__contains__)]
    for each in found:
        assert each in good
        assert not any(each - {name} in good for name in each)
        assert not any(other < each for other in found)
    if frozenset("abcd") in good:
        assert {each for each in good if len(each) == 1} <= set(found)
        assert found


def test_nothing_is_needed_where_the_answer_is_right_with_everything_on() -> None:
    assert minimal_sets(NAMES, lambda _: True) == ()


def test_nothing_restores_without_a_switch() -> None:
    assert minimal_sets((), lambda off: bool(off)) == ()


@pytest.mark.parametrize(
    "needed", [("pass3",), ("pass3", "pass30"), ("pass1", "pass2", "pass39")]
)
def test_forty_passes_stay_within_the_probes(needed: tuple[str, ...]) -> None:
    asked = []

    def restores(off: frozenset[str]) -> bool:
        asked.append(off)
        return off.issuperset(needed)

    assert minimal_sets(PASSES, restores) == (needed,)
    assert len(asked) <= MOST_PROBES
    assert len(set(asked)) == len(asked)


def test_what_was_found_before_the_probes_ran_out_is_kept() -> None:
    found = minimal_sets(PASSES, monotone_of_one("pass2", "pass39"), max_probes=10)
    assert found == (("pass2",),)


def monotone_of_one(*needed: str) -> Callable[[frozenset[str]], bool]:
    return lambda off: not off.isdisjoint(needed)
