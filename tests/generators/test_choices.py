from collections import Counter
from math import prod

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from generators.choices import Choices, HypothesisChoices, RandomChoices, SpreadChoices


def some(choices: Choices) -> tuple[str, int, bool, bool]:
    return (
        choices.pick(("a", "b", "c")),
        choices.integer(-3, 5),
        choices.flag(),
        choices.flag(8),
    )


def test_one_seed_makes_the_same_choices() -> None:
    assert some(RandomChoices(5)) == some(RandomChoices(5))
    assert len({some(RandomChoices(seed)) for seed in range(100)}) > 50


def test_random_choices_reach_every_option_about_evenly() -> None:
    drawn = [some(RandomChoices(seed)) for seed in range(9000)]
    letters, integers, flags, rare = map(Counter, zip(*drawn, strict=True))
    assert set(letters) == set("abc")
    assert set(integers) == set(range(-3, 6))
    assert min(letters.values()) > 2700
    assert min(integers.values()) > 800
    assert 4200 < flags[True] < 4800
    assert 1000 < rare[True] < 1250


def spread(number: int, *counts: int) -> tuple[int, ...]:
    choices = SpreadChoices(number)
    return tuple(choices.spread(range(count)) for count in counts)


@pytest.mark.parametrize("first", [0, 7, (3 << 32) + 11, (12345 << 32)])
@pytest.mark.parametrize("every", [1, 2, 32, 64])
def test_numbers_in_a_row_take_all_options_in_turn(first: int, every: int) -> None:
    for counts in ((5,), (40,), (8, 5), (9, 3, 7), (8, 17, 6)):
        options = prod(counts)
        numbers = range(first, first + 40 * options * every, every)
        drawn = Counter(spread(number, *counts) for number in numbers)
        assert len(drawn) == options
        assert min(drawn.values()) >= 34
        assert max(drawn.values()) <= 46


def test_a_few_numbers_in_a_row_miss_little() -> None:
    for first in range(0, 100_000, 997):
        seen = {spread(number, 8, 5) for number in range(first, first + 80)}
        assert len(seen) >= 39


def test_spread_choices_are_those_of_the_number_and_otherwise_random() -> None:
    assert some(SpreadChoices(5)) == some(RandomChoices(5)) == some(SpreadChoices(5))
    assert spread(77, 9, 40) == spread(77, 9, 40)


def test_a_point_is_used_up_and_chance_goes_on() -> None:
    deep = Counter(spread(number, *(2,) * 60)[-1] for number in range(2000))
    assert 900 < deep[0] < 1100


@given(st.data())
def test_hypothesis_choices_stay_within_their_options(data: st.DataObject) -> None:
    letter, integer, flag, rare = some(HypothesisChoices(data.draw))
    assert letter in "abc"
    assert -3 <= integer <= 5
    assert {flag, rare} <= {True, False}


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_hypothesis_shrinks_to_the_first_option() -> None:
    @st.composite
    def drawn(draw: st.DrawFn) -> tuple[str, int, bool, bool]:
        return some(HypothesisChoices(draw))

    assert find(drawn(), lambda _: True) == ("a", -3, False, False)
    assert find(drawn(), lambda each: each[1] > 0 and each[2]) == ("a", 1, True, False)
