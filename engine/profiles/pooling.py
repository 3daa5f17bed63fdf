"""How each engine turns the sum of a window, or of a plane, into the code of its mean.

A is the sum of ``q - z`` over a window, n its divisor; ``fl`` is float32 rounding, products without
``fl`` inside are one operation each. Equation numbers refer to ``engine/README.md``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.ir import Array
from engine.profiles.requantization import convert_then_saturate, saturate

_F = np.float32


@dataclass(frozen=True, slots=True)
class Averaging:
    """What a mean of codes becomes a code by, eq. (1) on both sides."""

    x_scale: np.float32
    x_zero_point: int
    x_dtype: np.dtype[Any]
    y_scale: np.float32
    y_zero_point: int


@dataclass(frozen=True, slots=True)
class Averager:
    """The prepared constants of a profile.

    ``reals`` are the 256 float32 values an engine adds up one after the other, lowest code first;
    None where it adds integers. ``steps`` maps sums and divisors to unrounded steps, ``offset`` is
    added after the rounding.
    """

    steps: Callable[[Array, Array], Array]
    offset: int
    reals: Array | None = None
    saturate: Callable[[Array, int, int], Array] = saturate


PrepareAverage = Callable[[Averaging], Averager]


def exact_mean(r: Averaging) -> Averager:
    """``v = A * xs / (n * ys)`` as a real number, zero point outside: one rounding.

    Exact:
        ``steps`` returns float64 values on the right side of every tie, and exactly on it.
        ``A*xs`` and ``n*ys`` are exact; their quotient, if no tie, is ``2**-25 / max(n, 5*|A|)`` away
        from any: the scales are 24-bit integers times powers of two whose quotient is at most
        ``5*|A|/n`` there. For ``|A| < 2**16`` and ``n < 2**18`` that is more than the rounding of a
        quotient below 2**10: the division alone is right. Beyond, what comes near a tie is looked at.
    """
    x_scale, y_scale = np.float64(r.x_scale), np.float64(r.y_scale)

    def steps(acc: Array, divisor: Array) -> Array:
        v: Array = acc * x_scale / (divisor * y_scale)
        if _is_small(acc, divisor):
            return v
        distance = np.abs(v - np.rint(v))
        near = (distance > 0.5 - _NEAR) & (np.abs(v) < _OUTSIDE)
        if near.any():
            counts = np.broadcast_to(divisor, v.shape)[near]
            v[near] = _settled(v[near], acc[near], counts, x_scale, y_scale)
        return v

    return Averager(steps, r.y_zero_point)


def _is_small(acc: Array, divisor: Array) -> bool:
    low, high = acc.min(initial=0), acc.max(initial=0)
    return bool(low > -(2**16) and high < 2**16 and divisor.max(initial=0) < 2**18)


_NEAR = 2.0**-30
"""Far above the float64 error of any v inside the range of codes, far below a half."""

_OUTSIDE = 2.0**10
"""Steps beyond this saturate, whatever their fraction."""


def _settled(
    v: Array, acc: Array, divisor: Array, x_scale: np.float64, y_scale: np.float64
) -> Array:
    """Each v near a half-integer on its exact side of it, or exactly on it.

    ``A*xs`` and ``(v*n)*ys`` are integers below 2**29 times 24 bits, so float64 compares them
    exactly; larger sums and windows are compared as rationals.
    """
    half = np.floor(v) + 0.5
    side = np.sign(acc * x_scale - half * divisor * y_scale)
    large = (np.abs(acc) >= 2**29) | (np.abs(half) * 2 * divisor >= 2**29)
    for i in large.nonzero()[0]:
        rest = Fraction(int(acc[i])) * Fraction(x_scale) - Fraction(half[i]) * Fraction(
            int(divisor[i])
        ) * Fraction(y_scale)
        side[i] = (rest > 0) - (rest < 0)
    moved: Array = half + side * _NEAR
    return moved


def dequantized(r: Averaging) -> Array:
    """``fl(xs * (q - xz))`` of every code, lowest first."""
    low, high = RANGES[r.x_dtype]
    reals: Array = np.arange(low - r.x_zero_point, high + 1 - r.x_zero_point).astype(_F)
    reals *= r.x_scale
    return reals


def onnxruntime_window(r: Averaging) -> Averager:
    """``y = fl(sum of fl(xs*(q-xz)) / n)``, in window order; ``v = fl(fl(y/ys) + yz)``: z inside.

    Source:
        onnxruntime contrib_ops/cpu/quantization/qlinear_pool.cc.
    """
    zero_point = _F(r.y_zero_point)

    def steps(total: Array, divisor: Array) -> Array:
        v: Array = total / divisor.astype(_F) / r.y_scale + zero_point
        return v

    return Averager(steps, 0, dequantized(r), convert_then_saturate)


def onnxruntime_plane(r: Averaging) -> Averager:
    """``v = fl(fl(A) * fl(xs/fl(ys*n)))``, zero point outside.

    Source:
        onnxruntime core/mlas/lib/qlgavgpool.cpp.
    """

    def steps(acc: Array, divisor: Array) -> Array:
        v: Array = acc.astype(_F) * (r.x_scale / (r.y_scale * divisor.astype(_F)))
        return v

    return Averager(steps, r.y_zero_point)


def aten(r: Averaging) -> Averager:
    """``v = fl(fl(fl(A) * fl(1/n)) + yz)``: zero point inside, channels first.

    torch's pools keep the scale of their input; where the graph has another, the quotient of both
    joins the multiplier.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp.
    """
    ratio, zero_point = r.x_scale / r.y_scale, _F(r.y_zero_point)

    def steps(acc: Array, divisor: Array) -> Array:
        v: Array = acc.astype(_F) * (ratio / divisor.astype(_F)) + zero_point
        return v

    return Averager(steps, 0, saturate=convert_then_saturate)


def qnnpack_mean(r: Averaging) -> Averager:
    """uint8: ``v = fl(fl(A) * fl(xs/fl(ys*n)))``, zero point outside; int8 is left to ATen.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/AveragePool2d.cpp, measured.
    """
    return onnxruntime_plane(r) if r.x_dtype == np.uint8 else aten(r)


def opencv_mean(r: Averaging) -> Averager:
    """``y = fl(sum of fl(xs*(q-xz)) * fl(1/n))``, in window order; ``v = fl(fl(y*fl(1/ys)) + yz)``.

    OpenCV runs average pools in float between its own DequantizeLinear and QuantizeLinear.

    Source:
        opencv 5 dnn, measured on Q/DQ graphs.
    """
    inverse, zero_point = _F(1) / r.y_scale, _F(r.y_zero_point)

    def steps(total: Array, divisor: Array) -> Array:
        v: Array = total * (_F(1) / divisor.astype(_F)) * inverse + zero_point
        return v

    return Averager(steps, 0, dequantized(r), convert_then_saturate)
