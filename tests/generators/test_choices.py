from collections import Counter

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from generators.choices import Choices, HypothesisChoices, RandomChoices


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
