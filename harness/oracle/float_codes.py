"""Codes of 8 and 4 bits that are floats themselves: what a real becomes, and how far two are apart.

Their sets are intervals of real values, as those of integers are. NaN stands above everything as
``NOT_A_NUMBER``, infinity as ``INFINITE``; both are beyond all finite codes.

Source: ONNX Cast-19..25, whose table says what ``saturate`` does; QuantizeLinear-19..25. Between the
largest code and the middle to the one that would follow, the table's text (greater than the largest)
and its evaluator (rounds first) differ without ``saturate``: both are allowed.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np

from corpus.case import Array
from harness.oracle.values import (
    INFINITE,
    NOT_A_NUMBER,
    Allowed,
    Codes,
    Reals,
    may_be_no_number,
)

_HAVE_INFINITY = {np.dtype(ml_dtypes.float8_e5m2)}
_ALWAYS_SATURATE = {np.dtype(ml_dtypes.float4_e2m1fn)}


def round_to_floats(
    steps: tuple[Array, Array, Array],
    error: Array,
    dtype: np.dtype[Any],
    exact: Array | None,
    *,
    saturate: bool,
) -> Codes:
    """The float codes of every t within ``error`` of ``[low, high]``, halves to even.

    Args:
        steps: low, centre and high of ``x / scale``.
        error: of the evaluation, in the same unit.
        dtype: of the codes.
        exact: elements where no float32 evaluation errs; or None.
        saturate: whether what is too large becomes the largest, else infinity or NaN.
    """
    if exact is not None:
        error = np.where(exact, 0.0, error)
    low_t, high_t = steps[0] - error, steps[2] + error
    low, centre, high = (_nearest(each, dtype) for each in (low_t, steps[1], high_t))
    if not saturate and dtype not in _ALWAYS_SATURATE:
        low, centre, high = _overflowed((low_t, steps[1], high_t), (low, centre, high), dtype)
    if np.array_equal(low, high):
        return Codes(dtype, centre, centre, centre, centre)
    return Codes(dtype, low, centre, high, centre)


def or_no_number(codes: Codes, x: Reals) -> Codes:
    """The codes; NaN, too, where the reals may be no number at all."""
    is_open = may_be_no_number(x.low, x.high)
    if codes.dtype in _ALWAYS_SATURATE or not is_open.any():
        return codes
    return replace(codes, high=np.where(is_open, NOT_A_NUMBER, codes.high))


def _nearest(t: Array, dtype: np.dtype[Any]) -> Array:
    most = float(finite(dtype)[-1])
    found: Array = np.clip(t, -most, most).astype(dtype).astype(np.float64)
    return found


def _overflowed(
    t: tuple[Array, Array, Array], codes: tuple[Array, Array, Array], dtype: np.dtype[Any]
) -> tuple[Array, Array, Array]:
    """Infinity or NaN where the value is beyond the largest; both sides where it may be."""
    most = float(finite(dtype)[-1])
    middle = most + (most - float(finite(dtype)[-2])) / 2
    low, centre, high = codes
    beyond = INFINITE if dtype in _HAVE_INFINITY else NOT_A_NUMBER
    high = np.where(t[2] > most, beyond, high)
    low = np.where(t[0] > middle, beyond, low)
    centre = np.where(np.abs(t[1]) > middle, np.sign(t[1]) * beyond, centre)
    if dtype in _HAVE_INFINITY:
        return (
            np.where(t[0] < -most, -beyond, low),
            centre,
            np.where(t[2] < -middle, -beyond, high),
        )
    # NaN has no sign: a value that may become NaN below the smallest may be anything up to it.
    high = np.where(t[0] < -most, beyond, high)
    centre = np.where(centre == -beyond, beyond, centre)
    return np.where(t[2] < -middle, beyond, low), centre, high


@cache
def finite(dtype: np.dtype[Any]) -> Array:
    """All finite codes as float64, rising."""
    bits = np.arange(16 if dtype in _ALWAYS_SATURATE else 256, dtype=np.uint8)
    values = bits.view(dtype).astype(np.float64)
    found: Array = np.unique(values[np.isfinite(values)])
    return found


def smallest(dtype: np.dtype[Any]) -> float:
    """The smallest positive code, of which all finite ones are multiples."""
    known = finite(dtype)
    return float(known[known > 0][0])


def places(values: Array, dtype: np.dtype[Any]) -> Array:
    """The place of each code among all of them, so that neighbours are one step apart."""
    known = finite(dtype)
    wide = np.nan_to_num(values, nan=NOT_A_NUMBER, posinf=INFINITE, neginf=-INFINITE)
    place = np.searchsorted(known, wide).astype(np.int64)
    place = np.where(wide < known[0], -1, place)
    found: Array = np.where(wide >= NOT_A_NUMBER, known.size + 1, place)
    return found


def as_places(allowed: Allowed) -> Allowed:
    """The same set by places instead of values."""
    low, centre, high, other = (
        places(each, allowed.dtype)
        for each in (allowed.low, allowed.centre, allowed.high, allowed.other)
    )
    return replace(allowed, low=low, centre=centre, high=high, other=other, step=1.0)
