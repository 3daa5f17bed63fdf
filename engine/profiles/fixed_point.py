"""Fixed-point requantization: multipliers of 31 bits and a shift, as gemmlowp and TFLite define it.

    M = q * 2**(s - 31),  q in [2**30, 2**31)                 QuantizeMultiplier, ties away from zero
    h = floor(a b / 2**31 + 1/2)                              SaturatingRoundingDoublingHighMul
    RoundingDivideByPOT: nearest, ties away from zero
    x -> RoundingDivideByPOT(h(x << max(s, 0), q), max(-s, 0))     two roundings

The second rounding makes a quarter of all results for M in [1/4, 1/2) another integer than one correct
rounding gives; that is TFLite's default, not an error of it.

Source:
    google/gemmlowp fixedpoint/fixedpoint.h; tensorflow/lite/kernels/internal/quantization_util.cc and
    common.cc; google/XNNPACK src/xnnpack/requantization.h (rndnu).
"""

import math
from collections.abc import Callable

import numpy as np

from engine.arithmetic import round_half_away
from engine.ir import Array
from engine.profiles.quantization import Rule, Scale
from engine.profiles.requantization import Requantization, Rescaling

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def quantize_multiplier(real: float) -> tuple[int, int]:
    """``(q, s)`` of a positive double; below ``2**-32`` nothing is left of it."""
    if real == 0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    q = math.floor(mantissa * 2**31 + 0.5)
    if q == 2**31:
        q, shift = q // 2, shift + 1
    return (0, 0) if shift < -31 else (q, shift)


Integer = int | Array


def doubling_high_product(a: Array, b: Integer) -> Array:
    """``floor(a b / 2**31 + 1/2)``, int64; ``(-2**31)**2`` saturates."""
    product = a.astype(np.int64) * np.int64(b)
    high: Array = np.minimum((product + (1 << 30)) >> 31, INT32_MAX)
    return high


def divide_by_power_of_two(x: Array, exponent: Integer) -> Array:
    """The nearest integer to ``x / 2**exponent``, ties away from zero."""
    mask = np.left_shift(1, exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    rounded: Array = (x >> exponent) + ((x & mask) > threshold)
    return rounded


def multiply_by_quantized_multiplier(acc: Array, q: Integer, shift: Integer) -> Array:
    """``acc * M`` in two roundings, int64 values; those for M of 2**31 and more only have its sign."""
    shifted = acc.astype(np.int64) << np.clip(shift, 0, 30)
    wide = np.clip(shifted, INT32_MIN, INT32_MAX)
    near = divide_by_power_of_two(
        doubling_high_product(wide, q), np.maximum(np.negative(shift), 0)
    )
    return np.where(np.asarray(shift) > 30, np.sign(wide) * INT32_MAX, near)


def multiply_in_one_rounding(acc: Array, q: Integer, shift: Integer) -> Array:
    """``floor(acc * q / 2**(31 - s) + 1/2)``: TFLITE_SINGLE_ROUNDING, ties up."""
    total = np.maximum(31 - np.asarray(shift), 1)
    product: Array = acc.astype(np.int64) * np.int64(q)
    near = (product + (np.int64(1) << (total - 1))) >> total
    return np.where(np.asarray(shift) > 30, np.sign(product) * INT32_MAX, near)


def _channelwise(
    multiply: Callable[[Array, Integer, Integer], Array], r: Requantization
) -> Rescaling:
    """The multiplier of each channel in double: ``xs * ws / ys`` (quantization_util.cc)."""
    real = (
        np.float64(r.alpha) * np.asarray(r.x_scale, np.float64) * r.w_scale.astype(np.float64)
    )
    scales = real / np.float64(r.y_scale)
    pairs = [quantize_multiplier(float(each)) for each in scales.reshape(-1)]
    q, shift = (
        np.array(each, np.int64).reshape(scales.shape) for each in zip(*pairs, strict=True)
    )

    def steps(acc: Array) -> Array:
        return multiply(acc, q, shift).astype(np.float64)

    return Rescaling(r.bias, steps, r.y_zero_point)


def tflite(r: Requantization) -> Rescaling:
    """Two roundings, zero point outside: the reference kernels' default."""
    return _channelwise(multiply_by_quantized_multiplier, r)


def tflite_single_rounding(r: Requantization) -> Rescaling:
    """One rounding, ties up: built with TFLITE_SINGLE_ROUNDING."""
    return _channelwise(multiply_in_one_rounding, r)


def xnnpack_rndnu(r: Requantization) -> Rescaling:
    """``floor(acc * m + 1/2)`` with m the float32 multiplier, the product exact."""
    scale = np.asarray(r.x_scale, np.float32) * r.w_scale / r.y_scale

    def steps(acc: Array) -> Array:
        return np.floor(acc * scale.astype(np.float64) + 0.5)

    return Rescaling(r.bias, steps, r.y_zero_point)


def requantize_in_fixed_point(
    steps: Array, x_scale: np.float32, y_scale: np.float32, y_zero_point: int, rule: Rule
) -> Array:
    """``steps * M + yz``, ``M = xs / ys`` in double, in two roundings.

    Source:
        tensorflow/lite/kernels/internal/reference/requantize.h.
    """
    q, shift = quantize_multiplier(float(x_scale) / float(y_scale))
    return multiply_by_quantized_multiplier(steps, q, shift) + y_zero_point


def quantize_half_away(x: Array, scale: Scale, zero_point: Array) -> Array:
    """QuantizeLinear as ``round(x / s) + z``, ties away from zero.

    Source:
        tensorflow/lite/kernels/internal/reference/quantize.h (TfLiteRound).
    """
    return round_half_away(x / scale) + zero_point
