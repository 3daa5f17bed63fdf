"""What the emulation of a fault has in common with a backend's values."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from corpus.case import Array
from corpus.finding import Match
from engine.faults import Fault
from harness.oracle import Allowed, is_outside
from harness.outcome import is_same

NEAR = 0.95  # of the wrong elements, what a near miss must reproduce at least
FEW = 20  # wrong elements, below which a near miss would be all of them

Arrays = Mapping[str, Array]
AllowedBy = Mapping[str, Allowed]


@dataclass(frozen=True, slots=True)
class Tried:
    """What the emulation of a fault, in one ``way``, has in common with the backend's values.

    Elements alike and all, of them the wrong ones; ``broken`` are right ones that the fault would get
    wrong. ``distance`` sums the differences, in codes or reals. ``loose`` says that reals need not
    be equal to be alike.
    """

    fault: Fault
    way: str
    alike: int
    total: int
    wrong_alike: int
    wrong: int
    broken: int
    distance: float
    loose: bool = False

    @property
    def explains(self) -> bool:
        """Whether it gives every wrong element, there are some, and it breaks no more of the right ones."""
        return 0 < self.wrong == self.wrong_alike and self.broken <= self.wrong

    @property
    def match(self) -> Match:
        """As a diagnosis gives it."""
        return Match(self.fault.id, self.fault.title, self.alike, self.total)

    @property
    def near_miss(self) -> Match | None:
        """How many of the wrong elements it gives, if it misses only a few."""
        if self.wrong < FEW or self.wrong_alike <= NEAR * self.wrong:
            return None
        return Match(self.fault.id, self.fault.title, self.wrong_alike, self.wrong)


def compare(
    fault: Fault,
    way: str,
    actual: Arrays,
    allowed: AllowedBy,
    emulated: Arrays,
    loose: bool = False,
) -> Tried | None:
    """What values have in common with emulated ones, by output; None where outputs or shapes are others.

    With ``loose``, reals are alike that only the order of a sum may tell apart.
    """
    alike = total = wrong_alike = wrong = broken = 0
    distance = 0.0
    for name, array in actual.items():
        if name not in allowed or name not in emulated:
            return None
        if not emulated[name].shape == array.shape == allowed[name].low.shape:
            return None
        outside = is_outside(allowed[name], array)
        same = is_same(emulated[name], array)
        if loose:
            same |= _is_near(array, emulated[name], allowed[name])
        alike, total = alike + int(same.sum()), total + same.size
        wrong_alike, wrong = wrong_alike + int(same[outside].sum()), wrong + int(outside.sum())
        if wrong == wrong_alike:
            away = is_outside(allowed[name], emulated[name]) & ~same
            broken += int((away & ~outside).sum())
        distance += _apart(array, emulated[name])
    return Tried(fault, way, alike, total, wrong_alike, wrong, broken, distance, loose)


def _is_near(array: Array, emulated: Array, allowed: Allowed) -> Array:
    """Whether reals are as near as two right ones may be, for the order of a sum is free.

    To what is allowed there come two roundings of the wrong value, which may be the larger one.
    """
    if not _is_real(array):
        return np.zeros(array.shape, bool)
    with np.errstate(invalid="ignore", over="ignore"):
        value = array.astype(np.float64)
        width = (
            allowed.high - allowed.low + np.abs(value) * 2 * float(np.finfo(array.dtype).eps)
        )
        near = np.isfinite(value) & (np.abs(value - emulated) <= width)
    return np.asarray(near)


def _apart(first: Array, second: Array) -> float:
    with np.errstate(invalid="ignore", over="ignore"):  # infinite ones that agree, or do not
        difference = first.astype(np.float64) - second.astype(np.float64)
        return float(np.abs(np.nan_to_num(difference)).sum())


def has_reals(arrays: Arrays) -> bool:
    """Whether one of them holds reals."""
    return any(_is_real(each) for each in arrays.values())


def _is_real(array: Array) -> bool:
    """Whether it holds reals; some of the codes of 8 bits that are floats say that they do."""
    return array.dtype.kind == "f" and array.dtype.isbuiltin == 1
