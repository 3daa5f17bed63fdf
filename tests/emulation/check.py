"""One row of the table: a profile, an operator, and where its pairs of arrays come from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tests.engine.models import Array

Pairs = Callable[[np.random.Generator], Iterator[tuple[Array, Array]]]
"""Endless (ours, theirs): outputs of the two engines for the same data, crafted ties among it."""


@dataclass(frozen=True, slots=True)
class Check:
    """``cause`` says why some elements may differ; without it every difference is a failure.

    ``needs`` is the package of the real engine.
    """

    profile: str
    operator: str
    pairs: Pairs
    needs: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """Elements compared, and how many of them differ (NaN equals NaN)."""

    elements: int
    mismatches: int


def count(check: Check, elements: int, seed: int = 0) -> Count:
    """Compares until at least that many elements were seen."""
    seen = differ = 0
    for ours, theirs in check.pairs(np.random.default_rng(seed)):
        assert ours.shape == theirs.shape, (check.profile, check.operator, ours.shape)
        assert ours.dtype == theirs.dtype, (check.profile, check.operator, ours.dtype)
        same = (ours == theirs) | ((ours != ours) & (theirs != theirs))
        seen, differ = seen + ours.size, differ + int((~same).sum())
        if seen >= elements:
            break
    return Count(seen, differ)
