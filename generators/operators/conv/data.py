"""The data of a convolution: its input, weights and bias as the graph holds them."""

import numpy as np

from corpus.case import Array
from generators import arrays
from generators.operators.conv.spec import ConvSpec

INT32_MAX = 2**31 - 1


def has_real_input(spec: ConvSpec) -> bool:
    """Whether the graph's input is float32 rather than codes."""
    return spec.x_float or spec.missing == "x"


def x_array(spec: ConvSpec) -> Array:
    """The graph's input: codes, or reals at or between them; shape ``spec.x_shape``."""
    if spec.x is not None:
        return spec.x
    zero = spec.x_zero_point
    code = arrays.codes(spec.x_kind, spec.x_seed, spec.x_shape, spec.x_dtype, zero)
    if not has_real_input(spec):
        return code
    scale = spec.doubled_scale if spec.doubled == "x" else spec.x_scale
    return arrays.reals(code, zero, scale, spec.x_offset, spec.x_seed)


def w_array(spec: ConvSpec) -> Array:
    """The weight initializer: codes, or reals where the weight has no DequantizeLinear."""
    if spec.w is not None:
        return spec.w
    zero = spec.w_zero_points[0]
    code = arrays.codes(spec.w_kind, spec.w_seed, spec.w_shape, spec.w_dtype, zero)
    if spec.missing != "w":
        return code
    per_filter = (-1,) + (1,) * (code.ndim - 1)
    zeros = np.array(spec.w_zero_points, np.float32).reshape(per_filter)
    scales = np.array(spec.w_scales, np.float32).reshape(per_filter)
    real: Array = (code - zeros) * scales
    return real


def b_array(spec: ConvSpec) -> Array | None:
    """The bias initializer, shape (M,): int32, float32 for ``float``, None for ``none``."""
    if spec.b is not None or spec.bias == "none":
        return spec.b
    uniform = np.frombuffer(arrays.noise(spec.b_seed, 4 * spec.filters), np.int32)
    if spec.bias == "extreme":
        return _extreme(uniform, spec)
    size = max(typical_accumulator(spec), 1.0)
    unit = size * spec.x_scale * spec.w_scales[0]
    if spec.bias == "float":
        real: Array = (uniform * (unit / 2**31)).astype(np.float32)
        return real
    if spec.bias == "own-scale":
        size = min(max(unit / spec.bias_scales[0], 1.0), float(2**30))
    codes: Array = np.rint(uniform * (min(size, 2.0**30) / 2**31)).astype(np.int32)
    return codes & np.int32(-grid(spec))


def grid(spec: ConvSpec) -> int:
    """A power of two that divides every sum of products of these kinds of data.

    A bias is a multiple of it too, lest it move every sum off the exact ties.
    """
    return arrays.GRIDS.get(spec.x_kind, 1) * arrays.GRIDS.get(spec.w_kind, 1)


def beyond_int32(spec: ConvSpec) -> Array:
    """A real bias of up to 2**33 steps of x_scale * w_scale, four times what int32 holds."""
    uniform = np.frombuffer(arrays.noise(spec.b_seed, 4 * spec.filters), np.int32)
    step = 4.0 * spec.x_scale * max(spec.w_scales)
    real: Array = (uniform * step).astype(np.float32)
    return real


def _extreme(uniform: Array, spec: ConvSpec) -> Array:
    """Near the ends of int32; one seed in eight leaves no room for the sum and overflows."""
    room = 0 if spec.b_seed % 8 == 7 else min(worst_accumulator(spec), INT32_MAX)
    size = np.maximum(np.int64(INT32_MAX - room) - (uniform & 255), 0)
    codes: Array = np.where(uniform < 0, -size, size).astype(np.int32)
    return codes


def worst_accumulator(spec: ConvSpec) -> int:
    """The largest ``|sum (x - x_zero_point) (w - w_zero_point)|`` that any data can reach."""
    x = spec.x_zero_point - arrays.LOWEST[spec.x_dtype]
    lowest = arrays.LOWEST[spec.w_dtype]
    w = max(max(zero - lowest, 255 - zero + lowest) for zero in spec.w_zero_points)
    return spec.terms * max(x, 255 - x) * w


def typical_accumulator(spec: ConvSpec) -> float:
    """About how far accumulators of this kind of data reach: ``|mean| + 2 deviations``."""
    x_mean, x_deviation = arrays.moments(
        spec.x_kind, spec.x_seed, spec.x_dtype, spec.x_zero_point
    )
    w_mean, w_deviation = arrays.moments(
        spec.w_kind, spec.w_seed, spec.w_dtype, spec.w_zero_points[0]
    )
    product_variance = (x_mean**2 + x_deviation**2) * (w_mean**2 + w_deviation**2)
    spread = product_variance - (x_mean * w_mean) ** 2
    return float(spec.terms * abs(x_mean * w_mean) + 2.0 * (spec.terms * spread) ** 0.5)
