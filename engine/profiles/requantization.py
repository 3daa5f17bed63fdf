"""How each engine turns an int32 sum into an 8-bit code.

The multiplier, where a bias is added, where the zero point is added, when the value is converted
to an integer. ``fl`` is float32 rounding; products without ``fl`` inside are one operation each.
Equation numbers refer to ``engine/README.md``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from math import prod

import numpy as np

from engine.arithmetic import (
    convert_to_int32,
    fused_multiply_add,
    round_half_even,
)
from engine.ir import Array

_F = np.float32


@dataclass(frozen=True, slots=True)
class Requantization:
    """What turns sums into codes; arrays are shaped to broadcast against the sums.

    The real value of a sum is ``alpha * x_scale * w_scale`` times it. ``bias`` is int32 in steps of ``x_scale * w_scale``; ``w_scale`` float32, one value or one a
    lane; ``per_channel`` says which. ``wide`` codes have more than 8 bits.
    """

    x_scale: np.float32 | Array
    w_scale: Array
    y_scale: np.float32
    y_zero_point: int
    bias: Array | None
    per_channel: bool
    groups: int
    in_per_group: int
    out_per_group: int
    y_signed: bool
    alpha: float = 1.0
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Rescaling:
    """The prepared constants of a profile.

    ``bias`` (int32) joins the accumulator, ``steps`` maps the accumulator to unrounded steps, and
    ``offset`` is added after the rounding.
    """

    bias: Array | None
    steps: Callable[[Array], Array]
    offset: int


Prepare = Callable[[Requantization], Rescaling]


def exact(r: Requantization) -> Rescaling:
    """``v = acc * xs * ws / ys`` as a real number, zero point outside, eq. (5).

    Exact:
        ``steps`` returns float64 values on the right side of every tie: a value is a half-integer
        if and only if v is. Where the float64 product rounds, ties are settled with rationals.
    """
    factors = [np.asarray(each, np.float64) for each in (r.x_scale, r.w_scale)]
    product = factors[0] * factors[1]
    if r.alpha != 1:
        factors.append(np.asarray(r.alpha, np.float64))
        product = product * r.alpha
    step = np.float64(r.y_scale)
    ratio = product / step
    proved = cache(partial(_no_sum_near_ties, ratio))

    def steps(acc: Array) -> Array:
        v: Array = acc * ratio
        if acc.size >= _MANY * ratio.size and not r.wide and proved():
            return v
        distance = np.rint(v)
        np.subtract(v, distance, out=distance)
        np.abs(distance, out=distance)
        if distance.max(initial=0) > 0.5 - _NEAR:
            _settle_ties(v, (distance > 0.5 - _NEAR).nonzero(), acc, factors, step)
        return v

    return Rescaling(r.bias, steps, r.y_zero_point)


_NEAR = 2.0**-30
"""Far above the float64 error of any v inside the range of codes, far below a half."""

_MANY = 64
"""From so many sums for each scale on, the proof (30 us, once) pays after a few runs: planes of 8x8 and larger."""


def _no_sum_near_ties(ratio: Array) -> bool:
    """Whether no integer times a ratio is near a half-integer inside the range of codes.

    The integer next to a tie is ``rint(half / ratio)``; all others are half a ratio away, which is far.
    """
    if not ((np.abs(ratio) > 4 * _NEAR) & (np.abs(ratio) < 1 / _NEAR)).all():
        return False
    halves = np.arange(-256.5, 257.0)
    by_tie = halves / ratio.reshape(-1, 1)
    np.rint(by_tie, out=by_tie)
    by_tie *= ratio.reshape(-1, 1)
    by_tie -= halves
    return bool(np.abs(by_tie, out=by_tie).min() > _NEAR)


def _settle_ties(
    v: Array,
    where: tuple[Array, ...],
    acc: Array,
    factors: Sequence[Array],
    step: np.float64,
) -> None:
    """Moves each v near a half-integer to its exact side of it, or exactly onto it."""
    sums = acc[where].astype(np.float64)
    scales = [np.broadcast_to(each, v.shape)[where] for each in factors]
    half = np.floor(v[where]) + 0.5
    product = np.prod(scales, axis=0)
    total = sums * product
    residual = total - half * step
    side = np.sign(residual) * np.sign(step)
    unsure = np.abs(residual) <= np.abs(total) * 2.0**-50
    if unsure.any() and (len(factors) > 2 or not _is_short(product)):
        for i in unsure.nonzero()[0]:
            exact_total = prod((Fraction(each[i]) for each in scales), start=Fraction(sums[i]))
            rest = exact_total / Fraction(step) - Fraction(half[i])
            side[i] = (rest > 0) - (rest < 0)
    v[where] = half + side * _NEAR


def _is_short(product: Array) -> bool:
    """Whether int32 times ``product`` is exact in float64: at most 21 significant bits."""
    mantissa, _ = np.frexp(product)
    scaled = mantissa * 2.0**21
    return bool((scaled == np.floor(scaled)).all())


def onnxruntime(r: Requantization) -> Rescaling:
    """``m = fl(fl(xs*ws)/ys)``, ``v = fl(fl(acc)*m)``, zero point outside.

    Source:
        onnxruntime core/mlas/lib/quantize.cpp (MlasRequantizeOutput), qlinearconv.cc.
    """
    multiplier = r.x_scale * r.w_scale / r.y_scale

    def steps(acc: Array) -> Array:
        v: Array = acc.astype(_F) * multiplier
        return v

    return Rescaling(r.bias, steps, r.y_zero_point)


def float_bias(r: Requantization) -> Array | None:
    """``b = fl(bias * xs * ws)``: the bias as a float framework is given it."""
    if r.bias is None:
        return None
    exact_scale = np.float64(r.x_scale) * r.w_scale.astype(np.float64)
    return (r.bias * exact_scale).astype(_F)


def fbgemm(r: Requantization) -> Rescaling:
    """``atw = fl(xs*ws)``, ``m = fl(atw/ys)``, zero point outside.

    Per tensor ``v = fl(fma(b, fl(1/atw), fl(acc)) * m)``, per channel
    ``v = fl(fl(fl(acc) + fl(b/atw)) * m)``.

    Source:
        pytorch/FBGEMM include/fbgemm/OutputProcessing-inl.h, src/QuantUtilsAvx2.cc.
    """
    atw = r.x_scale * r.w_scale
    multiplier = atw / r.y_scale
    bias = float_bias(r)

    def steps(acc: Array) -> Array:
        v: Array = acc.astype(_F)
        if bias is not None and r.per_channel:
            v += bias / atw
        elif bias is not None:
            v = fused_multiply_add(bias, (1.0 / atw.astype(np.float64)).astype(_F), v)
        v *= multiplier
        return v

    return Rescaling(None, steps, r.y_zero_point)


def qnnpack(r: Requantization) -> Rescaling:
    """``acc += rne(fl(b*fl(1/fl(ws*xs))))``, ``v = fl(fl(acc)*fl(fl(ws*xs)*fl(1/ys)))``.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/QnnpackUtils.h, qconv.cpp.
    """
    atw = r.w_scale * r.x_scale
    multiplier = atw * (_F(1) / r.y_scale)
    bias = float_bias(r)
    if bias is not None:
        codes = round_half_even(bias * (_F(1) / atw)).astype(np.float64)
        bias = np.clip(codes, -(2**31), 2**31 - 1).astype(np.int32)

    def steps(acc: Array) -> Array:
        v: Array = acc.astype(_F) * multiplier
        return v

    return Rescaling(bias, steps, r.y_zero_point)


def onednn(r: Requantization) -> Rescaling:
    """``t = fl(fl(acc)*fl(x'*ws)) + b``, ``v = fl(fl(t*fl(1/ys)) + yz)``: zero point inside.

    ``s' = fl(1/fl(1/s))``. Depthwise: ``t = fl(fl(fl(acc)*x')*ws) + b``. Other groups whose sizes
    are no multiples of 4 run a slower kernel that divides: t as in depthwise,
    ``v = fl(fl(t/y') + yz)``. The outputs are unsigned, so that a signed zero point is shifted by
    128 before it is added.

    Source:
        found by experiment on the kernels that torch 2.13 ships.
    """
    x_scale, inverse = _F(1) / (_F(1) / r.x_scale), _F(1) / r.y_scale
    shift = 128 if r.y_signed else 0
    bias, zero_point = float_bias(r), _F(r.y_zero_point + shift)
    blocked = r.groups == 1 or (r.in_per_group % 4 == 0 and r.out_per_group % 4 == 0)
    depthwise = r.groups > 1 and r.in_per_group == r.out_per_group == 1

    def steps(acc: Array) -> Array:
        t: Array = acc.astype(_F)
        t = t * (x_scale * r.w_scale) if blocked else t * x_scale * r.w_scale
        if bias is not None:
            t += bias
        t = t * inverse if blocked or depthwise else t / (_F(1) / inverse)
        t += zero_point
        return t

    return Rescaling(None, steps, -shift)


def opencv(r: Requantization) -> Rescaling:
    """``m = fl(fl(xs*ws)/ys)``, ``v = fma(fl(acc), m, yz)``: zero point inside.

    Source:
        opencv modules/dnn/src/int8layers/conv2_int8_layer.cpp, conv2_int8_kernels.simd.hpp.
    """
    multiplier = r.x_scale * r.w_scale / r.y_scale
    zero_point = np.asarray(r.y_zero_point, _F)

    def steps(acc: Array) -> Array:
        return fused_multiply_add(acc.astype(_F), multiplier, zero_point)

    return Rescaling(r.bias, steps, 0)


def saturate(steps: Array, low: int, high: int) -> Array:
    """Clip rounded steps to ``[low, high]``; NaN gives ``low``, as x86 ``maxps`` does."""
    if steps.size < _FEW:
        return np.fmin(np.fmax(steps, low), high)
    clipped: Array = steps.clip(low, high)
    if np.isnan(clipped.max(initial=low)):
        clipped[np.isnan(clipped)] = low
    return clipped


_FEW = 1 << 12
"""Below it ``clip`` and the search for NaN cost more than the slower ``fmax`` and ``fmin``."""


def convert_then_saturate(steps: Array, low: int, high: int) -> Array:
    """Convert to int32 first: from 2**31 up, INT32_MIN, which clips to ``low``."""
    clipped: Array = np.minimum(np.maximum(convert_to_int32(steps), low), high)
    return clipped
