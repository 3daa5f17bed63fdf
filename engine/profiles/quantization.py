"""How each engine turns reals into codes where no sum is involved: QuantizeLinear and its kin.

``fl`` is float32 rounding; a product or sum without ``fl`` around its parts is one operation.
Equation numbers refer to ``engine/README.md``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.arithmetic import convert_to_int32, fused_multiply_add, wrap_int32
from engine.ir import Array
from engine.kernels.number_types import E4M3FN, PACKED, Dtype, to_float8
from engine.kernels.quantize_granularity import Granularity, axis_of, lonely
from engine.profiles.requantization import Requantization, exact

_F = np.float32
Scale = Array | np.float32
Rule = Callable[[Array, Scale, Array], Array]
"""(reals, scale, zero point as float32) -> rounded codes, not yet clipped, in a new array."""

FloatRule = Callable[[Array, Dtype, bool], Array]
"""(float32 quotients, float type of the codes, saturate) -> codes."""

Range = tuple[np.float32, np.uint8]
RangeRule = Callable[[np.float32, np.float32], Range]
"""(lowest, highest value with 0 among them) -> scale, zero point."""

RequantizeRule = Callable[[Array, np.float32, np.float32, int, Rule], Array]
"""(steps of the input, its scale, scale and zero point of the output, QuantizeLinear) -> rounded
codes, not yet clipped."""


def divide(x: Array, scale: Scale, zero_point: Array) -> Array:
    """``rne(fl(x/s)) + z``: the standard's division, the zero point outside, eq. (2).

    Source:
        ONNX QuantizeLinear-13; onnxruntime core/mlas/lib/quantize.cpp.
    """
    quotient = np.asarray(x / scale)
    rounded: Array = np.rint(quotient, out=quotient)
    in_place = rounded.dtype == _F and np.broadcast(rounded, zero_point).shape == rounded.shape
    return np.add(rounded, zero_point, out=rounded if in_place else None)


def multiply_by_reciprocal(x: Array, scale: Scale, zero_point: Array) -> Array:
    """``cvt(fl(fl(x*fl(1/s)) + z))``: a reciprocal, the zero point inside.

    Source:
        opencv 5 dnn, measured on QuantizeLinear layers; cvt gives INT32_MIN beyond int32.
    """
    return convert_to_int32(x * (_F(1) / scale) + zero_point)


def clip_the_reciprocal(x: Array, scale: Scale, zero_point: Array) -> Array:
    """``rne(fl(fl(x*fl(1/s)) + z))``, clipped as a float.

    Source:
        opencv 5 dnn, measured on QuantizeLinear layers of uint8.
    """
    rounded: Array = np.rint(x * (_F(1) / scale) + zero_point)
    return rounded


def torch_quantize(x: Array, scale: Scale, zero_point: Array) -> Array:
    """``rne(fma(x, fl(1/s), z))`` per tensor, ``rne(fl(fl(x*fl(1/s)) + z))`` per channel.

    NaN becomes the highest code per tensor, code 0 per channel.

    Source:
        pytorch/FBGEMM src/QuantUtilsAvx2.cc (the LEGACY rule of the wheels); pytorch/pytorch
        aten/src/ATen/native/quantized/AffineQuantizerBase.cpp.
    """
    if np.ndim(scale) == 0:
        steps = fused_multiply_add(x, np.asarray(_F(1) / scale), zero_point)
        return np.rint(np.fmin(steps, _LARGEST_INT32))
    rounded = clip_the_reciprocal(x, scale, zero_point)
    return np.where(np.isnan(rounded), _F(0), rounded)


_LARGEST_INT32 = _F(2147483520)
"""The largest float32 below 2**31."""


def convert_then_add(x: Array, scale: Scale, zero_point: Array) -> Array:
    """``wrap(cvt(fl(x/s)) + z)``; cvt gives INT32_MIN beyond int32, to which a negative z wraps.

    Source:
        onnxruntime core/providers/cpu/quantization/quantize_linear.cc, measured.
    """
    total = convert_to_int32(x / scale) + zero_point
    return wrap_int32(total).astype(np.float64)


@dataclass(frozen=True, slots=True)
class SecondPath:
    """Another rule for the elements that an engine treats in another loop.

    ``elements`` gives their flat indices, from the type of the codes, the type of the division,
    the scale as stored, the shape of the data and the granularity.
    """

    rule: Rule
    elements: Callable[[Dtype, Dtype, Array, tuple[int, ...], Granularity], Array | slice]


EVERYWHERE, NOWHERE = slice(None), slice(0)
"""All elements, no elements."""


def scalars_of_onnxruntime(
    codes: Dtype, reals: Dtype, scale: Array, shape: tuple[int, ...], given: Granularity
) -> Array | slice:
    """float16 data, 2-bit codes, blocks on any axis but the last; 4-bit codes alone in a byte.

    Source:
        onnxruntime core/providers/cpu/quantization/quantize_linear.cc, measured.
    """
    packed = PACKED.get(codes, 1)
    blocked = given.block_size and scale.ndim == len(shape)
    if reals == np.float16 or packed == 4:
        return EVERYWHERE
    if blocked and axis_of(scale, shape, given) < len(shape) - 1:
        return EVERYWHERE
    return lonely(scale, shape, given, packed) if packed == 2 else NOWHERE


def vectors_of_opencv(
    codes: Dtype, reals: Dtype, scale: Array, shape: tuple[int, ...], given: Granularity
) -> Array | slice:
    """uint8 codes with one scale, but for the last ``n % 8``; measured."""
    whole = math.prod(shape) // 8 * 8
    alike = codes != np.uint8 or scale.size != 1
    return NOWHERE if alike or not whole else slice(whole)


def float8_of_onnxruntime(quotients: Array, dtype: Dtype, saturate: bool) -> Array:
    """As the standard; but float8e4m3fn without ``saturate`` makes 448 of ``[480, 496)``.

    Source:
        onnxruntime core/common/float8.h, measured: (464, 480) gives NaN.
    """
    codes = to_float8(quotients, dtype, saturate)
    if dtype == E4M3FN and not saturate:
        size = np.abs(quotients)
        wrong = (size >= 480) & (size < 496)
        codes[wrong] = np.copysign(_F(448), quotients[wrong]).astype(dtype)
    return codes


def range_with_unit_span(low: np.float32, high: np.float32) -> Range:
    """``s = fl(fl(high - low)/255)``, ``z = rne(sat(-fl(low/s)))``; an empty span counts as 1.

    Source:
        ONNX DynamicQuantizeLinear-11, silent about empty spans; onnx/onnx
        reference/ops/op_dynamic_quantize_linear.py.
    """
    span = high - low
    return _range(low, (span if span else _F(1)) / _F(255))


def range_with_unit_scale(low: np.float32, high: np.float32) -> Range:
    """The same; an empty span gives scale 1.

    Source:
        onnxruntime core/providers/cpu/quantization/dynamicquantizelinear.cc.
    """
    span = high - low
    return _range(low, span / _F(255) if span else _F(1))


def _range(low: np.float32, scale: np.float32) -> Range:
    zero_point = np.rint(np.clip(-(low / scale), _F(0), _F(255)))
    return _F(scale), np.uint8(zero_point)


def requantize_exactly(
    steps: Array, x_scale: np.float32, y_scale: np.float32, y_zero_point: int, rule: Rule
) -> Array:
    """``rne(steps * xs/ys) + yz`` of the real quotient."""
    one = np.ones((), _F)
    r = Requantization(
        x_scale, one, y_scale, y_zero_point, None, False, 1, 1, 1, False, wide=True
    )
    rounded: Array = np.rint(exact(r).steps(steps)) + y_zero_point
    return rounded


def requantize_in_float(
    steps: Array, x_scale: np.float32, y_scale: np.float32, y_zero_point: int, rule: Rule
) -> Array:
    """DequantizeLinear, then the engine's own QuantizeLinear: ``rule(fl(steps*xs), ys, yz)``."""
    return rule(steps.astype(_F) * x_scale, y_scale, np.asarray(y_zero_point, _F))
