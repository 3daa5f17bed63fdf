"""Hypothesis prefers fewer choices to simpler ones, so nothing may take fewer than the simplest."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from generators.choices import Choices, RandomChoices
from generators.operators.chains import chains
from generators.operators.conv import conv_specs
from generators.qparams import POLICIES

T = TypeVar("T")


class Counting:
    """Passes choices on and counts them."""

    def __init__(self, choices: Choices) -> None:
        self.made = 0
        self._choices = choices

    def pick(self, options: Sequence[T]) -> T:
        self.made += 1
        return self._choices.pick(options)

    def spread(self, options: Sequence[T]) -> T:
        self.made += 1
        return self._choices.spread(options)

    def integer(self, low: int, high: int) -> int:
        self.made += 1
        return self._choices.integer(low, high)

    def flag(self, one_in: int = 2) -> bool:
        self.made += 1
        return self._choices.flag(one_in)


class Simplest:
    """Always the simplest option."""

    def pick(self, options: Sequence[T]) -> T:
        return options[0]

    def spread(self, options: Sequence[T]) -> T:
        return options[0]

    def integer(self, low: int, high: int) -> int:
        return low

    def flag(self, one_in: int = 2) -> bool:
        return False


def choices_made(
    generator: Callable[[Choices, str], object], choices: Choices, policy: str
) -> int:
    counting = Counting(choices)
    generator(counting, policy)
    return counting.made


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("generator", [conv_specs, chains])
def test_nothing_takes_fewer_choices_than_the_simplest(
    generator: Callable[[Choices, str], object], policy: str
) -> None:
    simplest = choices_made(generator, Simplest(), policy)
    drawn = (choices_made(generator, RandomChoices(seed), policy) for seed in range(1000))
    assert simplest <= min(drawn)
