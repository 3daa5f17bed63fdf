"""The choices a generator makes: from a seed for campaigns, from Hypothesis for properties.

A generator is written once over ``Choices``, simplest option first everywhere; so a campaign draws
at the speed of ``random``, and Hypothesis can shrink the very same cases.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choices(Protocol):
    """Where a generator's decisions come from."""

    def pick(self, options: Sequence[T]) -> T:
        """One of ``options``; the first is the simplest."""
        ...

    def integer(self, low: int, high: int) -> int:
        """An integer of ``low`` to ``high``; ``low`` is the simplest."""
        ...

    def flag(self, one_in: int = 2) -> bool:
        """True about once in ``one_in`` times; False is the simplest."""
        ...


class RandomChoices:
    """Choices from one seed; the same seed makes the same choices."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random

    def pick(self, options: Sequence[T]) -> T:
        """See ``Choices``."""
        return options[int(self._random() * len(options))]

    def integer(self, low: int, high: int) -> int:
        """See ``Choices``; at most 53 bits apart."""
        return low + int(self._random() * (high - low + 1))

    def flag(self, one_in: int = 2) -> bool:
        """See ``Choices``."""
        return self._random() * one_in < 1.0


class HypothesisChoices:
    """Choices drawn by Hypothesis, which shrinks each towards the simplest."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def pick(self, options: Sequence[T]) -> T:
        """See ``Choices``."""
        return options[self.integer(0, len(options) - 1)]

    def integer(self, low: int, high: int) -> int:
        """See ``Choices``."""
        return low + int(self._draw(st.integers(0, high - low)))

    def flag(self, one_in: int = 2) -> bool:
        """See ``Choices``."""
        return self.integer(0, one_in - 1) == one_in - 1
