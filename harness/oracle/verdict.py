"""Verdicts: the oracle's word on what a backend returned for one tensor."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from corpus.case import Array
from harness.oracle.float_codes import as_places, places
from harness.oracle.pattern import describe
from harness.oracle.values import FLOAT32_END, FLOAT_CODES, Allowed, may_be_no_number

Kind = Literal[
    "exact", "tie", "rounding-mode", "divergent", "nonfinite", "wrong-type-or-shape"
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``exact``: the centre everywhere. ``tie``: allowed, but not the centre, somewhere.

    ``rounding-mode``: outside only where an exact tie went to the other neighbour; ``divergent``:
    outside elsewhere; ``nonfinite``: NaN or infinity where a number was due;
    ``wrong-type-or-shape``: missing, or another dtype or shape. ``max_steps`` is the largest
    distance to the allowed set in steps, at ``where``; ``wrong`` of ``total`` elements are outside,
    ``ties`` inside but not the centre. ``pattern`` says in words where the wrong ones sit.
    """

    kind: Kind
    max_steps: float
    wrong: int
    total: int
    ties: int
    pattern: str
    where: tuple[int, ...]

    @property
    def is_wrong(self) -> bool:
        """Whether this is anything but a correct result."""
        return self.kind not in ("exact", "tie")


def judge(allowed: Allowed, actual: Array | None) -> Verdict:
    """The verdict on one tensor; never raises on what a backend may return."""
    total = allowed.centre.size
    if actual is None:
        return _shapeless(allowed, "missing")
    if actual.dtype != allowed.dtype or actual.shape != allowed.centre.shape:
        return _shapeless(allowed, f"{actual.dtype} {actual.shape}")
    if allowed.dtype in FLOAT_CODES:
        return _compare(as_places(allowed), places(actual.astype(np.float64), allowed.dtype))
    if not np.count_nonzero(actual != _nearest(allowed)):
        return Verdict("exact", 0.0, 0, total, 0, "", ())
    values = actual.astype(allowed.centre.dtype)
    if allowed.dtype.kind == "f":
        unfit = _unfit(allowed, values)
        if unfit.any():
            return _nonfinite(unfit)
        values = _at_ends(allowed, values)
    return _compare(allowed, values)


def is_outside(allowed: Allowed, actual: Array) -> Array:
    """Which elements are not in their allowed set, as `judge` sees it; types and shapes must agree."""
    if allowed.dtype in FLOAT_CODES:
        allowed = as_places(allowed)
        values = places(actual.astype(np.float64), allowed.dtype)
        return (values < allowed.low) | (values > allowed.high)
    values = actual.astype(allowed.centre.dtype)
    unfit = np.zeros(values.shape, bool)
    if allowed.dtype.kind == "f":
        unfit, values = _unfit(allowed, values), _at_ends(allowed, values)
    found: Array = unfit | (values < allowed.low) | (values > allowed.high)
    return found


def _at_ends(allowed: Allowed, values: Array) -> Array:
    """The values; an infinity that is fit is the end of its set."""
    values = np.where(np.isposinf(values), allowed.high, values)
    return np.where(np.isneginf(values), allowed.low, values)


def _compare(allowed: Allowed, values: Array) -> Verdict:
    total, off = values.size, values != _nearest(allowed)
    below, above = values < allowed.low, values > allowed.high
    wrong = below | above
    count = int(np.count_nonzero(wrong))
    ties = int(np.count_nonzero(off)) - count
    if count == 0:
        return Verdict("tie" if ties else "exact", 0.0, 0, total, ties, "", ())
    distance = _distance(allowed, values, below, wrong)
    size = np.abs(distance)
    worst = tuple(int(each) for each in np.unravel_index(int(size.argmax()), size.shape))
    kind: Kind = "rounding-mode" if _is_other_tie(allowed, values, wrong) else "divergent"
    pattern = describe(allowed, values, wrong, distance)
    return Verdict(kind, float(size[worst]), count, total, ties, pattern, worst)


def _distance(allowed: Allowed, values: Array, below: Array, wrong: Array) -> Array:
    """How far outside each wrong element is, in steps, with its sign; 0 elsewhere.

    A channel that is multiplied by 0 has steps of 0: what is not right there is infinitely far off.
    """
    with np.errstate(over="ignore", divide="ignore"):
        beyond = np.where(below, values - allowed.low, values - allowed.high) * 1.0
        distance = np.divide(beyond, allowed.step, out=np.zeros_like(beyond), where=wrong)
    if allowed.dtype.kind != "f":
        return distance
    # An end of a float set lies a rounding error beyond a whole step: 0.9999996 says 1.
    whole = np.rint(distance)
    rest = np.subtract(distance, whole, out=np.zeros_like(distance), where=np.isfinite(whole))
    near = (np.abs(rest) < 2.0**-10) & (whole != 0)
    return np.where(near, whole, distance)


def _nearest(allowed: Allowed) -> Array:
    """The centre as the tensor's own type can say it."""
    if allowed.dtype.kind != "f":
        return allowed.centre
    with np.errstate(over="ignore"):
        return allowed.centre.astype(np.float32)


def _is_other_tie(allowed: Allowed, values: Array, wrong: Array) -> bool:
    if allowed.other is allowed.centre:
        return False
    other = allowed.other[wrong]
    if allowed.dtype.kind == "f":
        other = other.astype(np.float32)
    return bool((values[wrong] == other).all())


def _unfit(allowed: Allowed, values: Array) -> Array:
    """NaN where the set is not open to everything, infinity where it ends before float32 does."""
    is_open = may_be_no_number(allowed.low, allowed.high)
    too_high = np.isposinf(values) & (allowed.high < FLOAT32_END)
    too_low = np.isneginf(values) & (allowed.low > -FLOAT32_END)
    unfit: Array = (np.isnan(values) & ~is_open) | too_high | too_low
    return unfit


def _nonfinite(unfit: Array) -> Verdict:
    where = tuple(int(each) for each in np.argwhere(unfit)[0])
    count = int(np.count_nonzero(unfit))
    pattern = f"not a finite number at {count} of {unfit.size} elements"
    return Verdict("nonfinite", float("inf"), count, unfit.size, 0, pattern, where)


def _shapeless(allowed: Allowed, found: str) -> Verdict:
    expected = f"{allowed.dtype} {allowed.centre.shape}"
    size = allowed.centre.size
    pattern = f"expected {expected}, got {found}"
    return Verdict("wrong-type-or-shape", float("inf"), size, size, 0, pattern, ())
