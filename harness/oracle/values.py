"""What the oracle computes with: sets of codes, sets of reals, and the answer it gives.

A set is an interval per element. ``low is centre is high`` (the same array) marks a tensor without
any doubt; most tensors are, and the kernels then do a third of the work.
"""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from corpus.case import Array

# Stands for infinity: finite, so that interval ends never become NaN, and far beyond float32.
UNBOUNDED = 2.0**200
FLOAT32_END = 2.0**128

# A parameter of a whole tensor, or one for each channel, shaped to broadcast.
Number = Array | float

CODE_TYPES = {
    np.dtype(np.uint8): (0, 255),
    np.dtype(np.int8): (-128, 127),
    np.dtype(np.uint16): (0, 65535),
    np.dtype(np.int16): (-32768, 32767),
    np.dtype(np.int32): (-(2**31), 2**31 - 1),
    np.dtype(ml_dtypes.uint4): (0, 15),
    np.dtype(ml_dtypes.int4): (-8, 7),
    np.dtype(ml_dtypes.uint2): (0, 3),
    np.dtype(ml_dtypes.int2): (-2, 1),
}

FLOAT_CODES = frozenset(
    np.dtype(each)
    for each in (
        ml_dtypes.float4_e2m1fn,
        ml_dtypes.float8_e4m3fn,
        ml_dtypes.float8_e4m3fnuz,
        ml_dtypes.float8_e5m2,
        ml_dtypes.float8_e5m2fnuz,
    )
)
INFINITE, NOT_A_NUMBER = 2.0**100, 2.0**101
"""Stand for what is no finite code of a float type."""


class Silent(Exception):  # noqa: N818  a lack of an opinion is not an error
    """The oracle has no word on this model: what it cannot judge, and where.

    Renders as one line, ``where: what``.
    """

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what
        self.where = where


@dataclass(frozen=True, slots=True)
class Codes:
    """Integer tensor: every element may be any code of ``[low, high]``.

    Arrays are float64 (integers below 2^53 are exact there, and matrix products are fast).
    ``other`` is the code beyond an exact tie, ``centre`` elsewhere.
    """

    dtype: np.dtype[np.generic]
    low: Array
    centre: Array
    high: Array
    other: Array

    @property
    def is_point(self) -> bool:
        """Whether every element has one allowed code."""
        return self.low is self.high


@dataclass(frozen=True, slots=True)
class Origin:
    """Where dequantized reals came from: ``scale * (codes - zero)``, parameters broadcastable."""

    codes: Codes
    scale: Number
    zero: Number


@dataclass(frozen=True, slots=True)
class Reals:
    """Float tensor: an implementation's effective value is ``x * (1 + e)``, x in ``[low, high]``.

    ``|e| <= relative``, and e = 0 at elements where ``grid`` > 0: those are multiples of the power
    of two ``grid`` that every order of float32 operations gets exactly. ``quantum`` is the scale of
    one integer step where the tensor is integers times a scale (None for plain floats).
    ``expanded`` says that a fused kernel may have folded zero points into one float constant.
    ``other`` is the value beyond an exact tie of the QuantizeLinear before. Units: real.
    """

    low: Array
    centre: Array
    high: Array
    relative: float = 0.0
    grid: Number = 0.0
    quantum: Number | None = None
    origin: Origin | None = None
    expanded: bool = False
    other: Array | None = None

    @property
    def is_point(self) -> bool:
        """Whether every element is one real (up to ``relative``)."""
        return self.low is self.high

    def size(self) -> Array:
        """Largest magnitude of each element."""
        if self.is_point:
            return np.abs(self.centre)
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def roundings(self) -> Any:
        """``relative`` for each element, zero on the grid."""
        if self.relative == 0.0:
            return 0.0
        if isinstance(self.grid, float):
            return 0.0 if self.grid > 0 else self.relative
        return np.where(self.grid > 0, 0.0, self.relative)


Value = Codes | Reals


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a correct implementation may return for one tensor.

    ``low``, ``centre``, ``high`` and ``other``: int64 codes for an integer tensor, float64 reals for
    a float one and for codes that are floats (module ``float_codes``). ``other`` is the neighbour on the other side of an exact tie that must go to even,
    and ``centre`` elsewhere. ``step`` is one quantum (1 for codes, the scale for dequantized reals,
    ``scale_x * scale_w`` for a float convolution), broadcastable to the tensor; ``slack`` the share
    of elements with more than one allowed code (for floats: a set wider than half a step).
    """

    name: str
    dtype: np.dtype[np.generic]
    low: Array
    centre: Array
    high: Array
    other: Array
    step: Number
    slack: float


def point_codes(array: Array) -> Codes:
    """The set that holds just these codes."""
    codes = array.astype(np.float64)
    if array.dtype in FLOAT_CODES:
        codes = np.nan_to_num(codes, nan=NOT_A_NUMBER, posinf=INFINITE, neginf=-INFINITE)
    return Codes(array.dtype, codes, codes, codes, codes)


def point_reals(array: Array) -> Reals:
    """The set that holds just these floats; NaN may become anything, infinities stay at their end."""
    reals = array.astype(np.float64)
    if np.isfinite(reals).all():
        return Reals(reals, reals, reals)
    nan = np.isnan(reals)
    reals = np.clip(np.where(nan, 0.0, reals), -UNBOUNDED, UNBOUNDED)
    return Reals(np.where(nan, -UNBOUNDED, reals), reals, np.where(nan, UNBOUNDED, reals))


def may_be_no_number(low: Array, high: Array) -> Array:
    """Where a set of reals is open to everything, NaN too."""
    found: Array = (low <= -UNBOUNDED / 2) & (high >= UNBOUNDED / 2)
    return found


def allowed(name: str, value: Value) -> Allowed:
    """The public form of a set."""
    if isinstance(value, Codes):
        return _allowed_codes(name, value)
    low, high = value.low, value.high
    rounding = value.roundings()
    if not isinstance(rounding, float) or rounding > 0:
        # Float32 rounding of the value itself; the sign of an end decides which way is out.
        low, high = low - np.abs(low) * rounding, high + np.abs(high) * rounding
    other = value.centre if value.other is None else value.other
    step = _float_step(value)
    wide = np.count_nonzero(high - low > 0.5 * np.asarray(step))
    slack = float(wide) / max(low.size, 1)
    return Allowed(name, np.dtype(np.float32), low, value.centre, high, other, step, slack)


def _allowed_codes(name: str, value: Codes) -> Allowed:
    number = np.float64 if value.dtype in FLOAT_CODES else np.int64
    centre = value.centre.astype(number)
    low, high, slack = centre, centre, 0.0
    if not value.is_point:
        low, high = value.low.astype(number), value.high.astype(number)
        slack = float(np.count_nonzero(low < high)) / max(low.size, 1)
    other = centre if value.other is value.centre else value.other.astype(number)
    return Allowed(name, value.dtype, low, centre, high, other, 1.0, slack)


def _float_step(value: Reals) -> Number:
    if value.quantum is not None:
        return value.quantum
    largest = float(np.abs(value.centre).max(initial=0.0))
    return float(np.spacing(np.float32(min(largest, 3e38))))
