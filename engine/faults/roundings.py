"""Roundings that faults of several families have in common, and when they can show."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from engine.ir import Array

Move = Callable[[Array, int, int, int], Array]
"""(unrounded steps, zero point, lowest and highest code) -> codes."""
_FAR = 2.0**31
_LARGEST_NUMERATOR = 2**16
_CODES = 256


def half_up(steps: Array) -> Array:
    """``floor(v + 1/2)``, the fraction compared."""
    whole = np.floor(steps)
    rounded: Array = whole + (steps - whole >= 0.5)
    return rounded


def wrap_between(steps: Array, low: int, high: int) -> Array:
    """Steps modulo their range, instead of clipped to it; what no int32 holds is one of its ends."""
    whole = np.clip(steps, -_FAR, _FAR).astype(np.float64)
    wrapped: Array = (whole - low) % (high - low + 1) + low
    return wrapped


def cast_then_moved(steps: Array, zero_point: int, low: int, high: int) -> Array:
    """``sat(trunc(v) modulo 256 + z)``: a cast to the type of codes, whose sum with z is clipped.

    Codes from ``low`` to ``high``. It is a float32 that is cast: 127.9999999 is 128.
    """
    code = wrap_between(np.trunc(steps.astype(np.float32)), low, high)
    moved: Array = np.clip(code + zero_point, low, high)
    return moved


def clipped_then_moved(steps: Array, zero_point: int, low: int, high: int) -> Array:
    """``sat(trunc(sat(v)) + z)``: a conversion to the type of codes that clips, whose sum with z is clipped."""
    numbers = np.where(np.isnan(steps), 0, steps).astype(np.float32)
    moved: Array = np.clip(np.trunc(np.clip(numbers, low, high)) + zero_point, low, high)
    return moved


def has_tie(ratio: Fraction, most: float) -> bool:
    """Whether ``k * ratio`` is a half-integer within the range of codes for an integer ``k <= most``.

    With n/d in lowest terms these k are the odd multiples of d/2, so that d must be even; the first
    tie is at n/2.
    """
    return (
        ratio.denominator % 2 == 0
        and ratio.denominator <= 2 * most
        and ratio.numerator < 2 * _CODES
    )


def has_tie_of_fractions(ratio: Fraction, most: float) -> bool:
    """Whether ``f * ratio`` is, for some fraction ``f <= most`` that sizes in use give.

    ``f = (2k + 1) d/(2n)``: its denominator is that of n without what divides 2k + 1.
    """
    return (
        ratio.numerator < _LARGEST_NUMERATOR
        and ratio.denominator <= 2 * ratio.numerator * most
    )
