"""The choices a generator makes: from a seed for campaigns, from Hypothesis for properties.

A generator is written once over ``Choices``, simplest option first everywhere; so a campaign draws
at the speed of ``random``, and Hypothesis can shrink the very same cases.

What makes cases unlike each other (family, operator, kind) is chosen by ``spread``. A campaign's
cases take those options in turn: chance alone draws some twice before others once.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
_BITS = 64
_STEP = 0xA4E55829E79FC905
"""As a fraction of 2^64 no ratio of small numbers comes near it, nor near its multiples by 2 to 64.

So the points of numbers that follow each other spread, and those of every 32nd number do as well.
"""
_MOST_PARTS = 1 << 32  # beyond, the low bits would decide, which repeat


class Choices(Protocol):
    """Where a generator's decisions come from."""

    def pick(self, options: Sequence[T]) -> T:
        """One of ``options``; the first is the simplest."""
        ...

    def spread(self, options: Sequence[T]) -> T:
        """One of ``options``, as `pick`, where campaigns should take all of them in turn."""
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

    def spread(self, options: Sequence[T]) -> T:
        """See ``Choices``; a seed by itself knows no turns, so each is as likely as any other."""
        return self.pick(options)

    def integer(self, low: int, high: int) -> int:
        """See ``Choices``; at most 53 bits apart."""
        return low + int(self._random() * (high - low + 1))

    def flag(self, one_in: int = 2) -> bool:
        """See ``Choices``."""
        return self._random() * one_in < 1.0


class SpreadChoices(RandomChoices):
    """The choices of one case of many; the same number makes the same choices.

    The number has a point in [0, 1), ``number * step mod 1``. Each spread choice cuts the interval
    that is left into a part for each option and takes that which holds the point. An interval of
    length 1 / m, which is a family or an operator or any sequence of options, so holds one of every
    m numbers that follow each other, nearly; all other choices are random.

    Source:
        Sós, On the distribution mod 1 of the sequence n alpha, 1958 (the three-gap theorem).
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self._point = number * _STEP % (1 << _BITS)
        self._parts = 1

    def spread(self, options: Sequence[T]) -> T:
        """See ``Choices``."""
        self._parts *= len(options)
        if self._parts > _MOST_PARTS:
            return self.pick(options)
        at, self._point = divmod(self._point * len(options), 1 << _BITS)
        return options[at]


class HypothesisChoices:
    """Choices drawn by Hypothesis, which shrinks each towards the simplest."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def pick(self, options: Sequence[T]) -> T:
        """See ``Choices``."""
        return options[self.integer(0, len(options) - 1)]

    def spread(self, options: Sequence[T]) -> T:
        """See ``Choices``."""
        return self.pick(options)

    def integer(self, low: int, high: int) -> int:
        """See ``Choices``."""
        return low + int(self._draw(st.integers(0, high - low)))

    def flag(self, one_in: int = 2) -> bool:
        """See ``Choices``."""
        return self.integer(0, one_in - 1) == one_in - 1
