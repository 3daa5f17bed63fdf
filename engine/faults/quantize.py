"""Faults of QuantizeLinear by itself: its clipping, its default type, its scale."""

from collections.abc import Callable
from math import prod

import numpy as np

from engine.faults.fault import Fault
from engine.faults.quantizing import BLOCK, in_the_rest
from engine.faults.rounding import quantize_with_zero_point_inside
from engine.ir import Array
from engine.kernels.number_types import (
    FLOAT8,
    FLOAT_CODES,
    INTEGER_CODES,
    Dtype,
    saturate_codes,
    store_integers,
)
from engine.kernels.quantize_linear import Saturate, saturation
from engine.kernels.quantize_parameters import QuantizeParameters
from engine.profiles.quantization import FloatRule, Rule, Scale

_INT8, _UINT8 = np.dtype(np.int8), np.dtype(np.uint8)
_WIDE = (np.dtype(np.int16), np.dtype(np.uint16))


def default_of_uint8(p: QuantizeParameters) -> Saturate:
    """Without a zero point: codes of uint8, the bytes of which are then read as int8."""
    if not _lacks_zero_point(p):
        return saturation(p)
    return lambda steps, dtype: saturate_codes(steps, np.dtype(np.uint8)).view(np.int8)


def int32_and_wrapped(right: Rule, p: object) -> Rule:
    """Steps beyond int32 become INT32_MIN; a negative zero point, added in int32, makes that the highest."""

    def rule(x: Array, scale: Scale, zero_point: Array) -> Array:
        steps = np.rint(np.asarray(x / scale))
        whole = (
            np.where(np.abs(steps) < 2.0**31, steps, -(2.0**31)) + np.float64(1) * zero_point
        )
        return np.where(whole < -(2.0**31), whole + 2.0**32, whole)

    return rule


def int32_in_the_rest(right: Rule, p: object) -> Rule:
    """Steps beyond int32 become INT32_MIN in the last elements, fewer than 8."""

    def rule(x: Array, scale: Scale, zero_point: Array) -> Array:
        rounded = np.asarray(right(x, scale, zero_point))
        far = in_the_rest(rounded) & (np.abs(rounded - zero_point) >= 2.0**31)
        return np.where(far, -(2.0**31), rounded)

    return rule


def wrapped(p: QuantizeParameters) -> Saturate:
    """The lowest bits of the rounded steps; from 2**31 on those of INT32_MIN."""
    return _lowest_bits


def _lowest_bits(steps: Array, dtype: Dtype) -> Array:
    low, high = INTEGER_CODES[dtype]
    whole = np.where(np.abs(steps) < 2.0**31, steps, -(2.0**31)).astype(np.int64)
    return store_integers((whole - low) % (high - low + 1) + low, dtype)


def truncated_to_16_bits(right: Rule, p: object) -> Rule:
    """``trunc(x / s)`` for 16-bit codes without a zero point; the right rule elsewhere."""
    if not isinstance(p, QuantizeParameters) or not _is_cast_to_16_bits(p):
        return right
    return lambda x, scale, zero_point: np.trunc(np.asarray(x / scale))


def wrapped_to_16_bits(p: QuantizeParameters) -> Saturate:
    """The lowest bits of these."""
    return wrapped(p) if _is_cast_to_16_bits(p) else saturation(p)


def _is_cast_to_16_bits(p: QuantizeParameters) -> bool:
    zero = p.zero_point is None or not p.zero_point.any()
    return p.dtype in _WIDE and zero and not p.computed_zero_point


def multiplied(right: Rule, p: object) -> Rule:
    """``rne(x * s + z)`` where one element follows the axis; the right rule elsewhere.

    From 2**31 on INT32_MIN in the last elements, fewer than 8.
    """
    if not isinstance(p, QuantizeParameters) or p.dtype != _UINT8:
        return right
    axis = p.granularity.axis

    def rule(x: Array, scale: Scale, zero_point: Array) -> Array:
        if not _is_single(x.shape, axis):
            return right(x, scale, zero_point)
        codes = np.rint(np.asarray(x * scale + zero_point.astype(np.float32)))
        far = in_the_rest(codes) & (np.abs(codes) >= 2.0**31)
        return np.where(far, -(2.0**31), codes)

    return rule


def of_whole_codes(right: Rule, p: object) -> Rule:
    """``rne(clip(rne(x)) / s + z)``: reals are stored as the type of the codes before they are quantized.

    Where that changes none of them the right rule stays: the rest of it is F75.
    """
    if not isinstance(p, QuantizeParameters) or p.dtype not in (_INT8, _UINT8):
        return right
    low, high = INTEGER_CODES[p.dtype]

    def rule(x: Array, scale: Scale, zero_point: Array) -> Array:
        stored = np.clip(np.rint(x), low, high).astype(x.dtype)
        if (stored == x).all():
            return right(x, scale, zero_point)
        return quantize_with_zero_point_inside(stored, scale, zero_point)

    return rule


def from_the_lowest(right: Rule, p: object) -> Rule:
    """``rne(fl(fl(x i) - fl(l i))) + lowest``, ``i = fl(levels / fl(h - l))``, x clipped to [l, h].

    ``l`` and ``h`` are the reals of the lowest and the highest of 16-bit codes.
    """
    if not isinstance(p, QuantizeParameters) or p.dtype not in _WIDE:
        return right
    lowest, highest = (np.float32(each) for each in INTEGER_CODES[p.dtype])

    def rule(x: Array, scale: Scale, zero_point: Array) -> Array:
        low, high = (np.asarray((each - zero_point) * scale) for each in (lowest, highest))
        inverse = np.asarray((highest - lowest) / (high - low))
        steps = np.asarray(np.clip(x, low, high) * inverse)
        rounded: Array = np.rint(steps - np.asarray(low * inverse)) + lowest
        return rounded

    return rule


def by_way_of_float16(right: FloatRule) -> FloatRule:
    """The right rule for quotients that are rounded to float16 before; those beyond it are infinite."""

    def rule(quotients: Array, dtype: Dtype, saturate: bool) -> Array:
        if dtype not in FLOAT8:
            return right(quotients, dtype, saturate)
        with np.errstate(over="ignore"):
            half = quotients.astype(np.float16)
        return right(half.astype(np.float32), dtype, saturate)

    return rule


def by_the_reciprocal(x: Array, scale: Array) -> Array:
    """``fl(x * fl(1/s))``."""
    return np.asarray(x * (np.float32(1) / scale))


def clipped_at(end: float) -> Callable[[Rule, object], Rule]:
    """A negative scale turns the ends of the range around: whatever x is, it is clipped to one of them."""

    def stage(right: Rule, p: object) -> Rule:
        if not isinstance(p, QuantizeParameters) or p.dtype in FLOAT_CODES:
            return right

        def rule(x: Array, scale: Scale, zero_point: Array) -> Array:
            return np.where(np.asarray(scale) < 0, end, right(x, scale, zero_point))

        return rule

    return stage


def _may_be_negative(p: QuantizeParameters) -> bool:
    """Whether some scale is below 0, as far as constants tell."""
    return p.dtype not in FLOAT_CODES and (p.scale is None or bool((p.scale < 0).any()))


def _is_single(shape: tuple[int, ...], axis: int | None) -> bool:
    """Whether the axis and those behind it hold one element."""
    first = min(1 if axis is None else axis, len(shape) - 1)
    return not shape or prod(shape[first:]) == 1


def may_be_single(p: QuantizeParameters) -> bool:
    """The same, or only a run tells."""
    return p.shape is None or _is_single(p.shape, p.granularity.axis)


def _is_other_scale(p: QuantizeParameters) -> bool:
    scaled = p.scale is None or bool((p.scale != 1).any())
    return p.dtype == _UINT8 and scaled and may_be_single(p)


def _lacks_zero_point(p: QuantizeParameters) -> bool:
    return p.dtype == _INT8 and p.zero_point is None and not p.computed_zero_point


FAULTS = (
    Fault(
        "F32b",
        "a QuantizeLinear to int8 without a zero point clips to the range of uint8",
        "microsoft/onnxruntime: rules that fill in a zero point left out",
        _lacks_zero_point,
        {"quantize.saturation": default_of_uint8},
        record=QuantizeParameters,
    ),
    Fault(
        "F76.wrap",
        "values from 2**31 up convert to INT32_MIN, to which the zero point is added modulo 2**32",
        "onnx/onnx reference/ops/op_quantize_linear.py",
        lambda p: p.dtype not in FLOAT_CODES,
        {"quantize.rule": int32_and_wrapped},
        record=QuantizeParameters,
    ),
    Fault(
        "F76.rest",
        "values from 2**31 up convert to INT32_MIN in the last elements, fewer than 8",
        "opencv/opencv modules/dnn/src/layers/quantlizelinear_layer.cpp: what fills no vector",
        lambda p: (
            p.dtype not in FLOAT_CODES and (p.shape is None or prod(p.shape) % BLOCK > 0)
        ),
        {"quantize.rule": int32_in_the_rest},
        record=QuantizeParameters,
    ),
    Fault(
        "F147",
        "QuantizeLinear to 16 bits without a zero point casts: fraction cut off, lowest bits kept",
        "openvinotoolkit/openvino: a FakeQuantize that is replaced by a Convert, measured",
        _is_cast_to_16_bits,
        {"quantize.rule": truncated_to_16_bits, "quantize.saturation": wrapped_to_16_bits},
        record=QuantizeParameters,
    ),
    Fault(
        "F38.quantize",
        "QuantizeLinear stores its codes without clipping them",
        "tinygrad/tinygrad#8546",
        lambda p: p.dtype not in FLOAT_CODES,
        {"quantize.saturation": wrapped},
        record=QuantizeParameters,
    ),
    Fault(
        "F124",
        "QuantizeLinear to uint8 multiplies by the scale where one element follows its axis",
        "opencv/opencv modules/dnn/src/layers/quantizelinear_layer.cpp, measured",
        _is_other_scale,
        {"quantize.rule": multiplied},
        record=QuantizeParameters,
    ),
    Fault(
        "F143",
        "QuantizeLinear with a negative scale makes everything the lowest code",
        "openvinotoolkit/openvino: a FakeQuantize whose range ends where it begins, measured",
        _may_be_negative,
        {"quantize.rule": clipped_at(-(2.0**31))},
        record=QuantizeParameters,
    ),
    Fault(
        "F145",
        "reals are rounded and clipped to the type of the codes before QuantizeLinear divides them",
        "openvinotoolkit/openvino: a Reduce that a QuantizeLinear is fused with, measured",
        lambda p: p.dtype in (_INT8, _UINT8),
        {"quantize.rule": of_whole_codes},
        record=QuantizeParameters,
    ),
    Fault(
        "F150",
        "QuantizeLinear to 16 bits counts from the lowest code on, in float32: fractions lose their bits",
        "openvinotoolkit/openvino: a FakeQuantize of 65536 levels, measured",
        lambda p: p.dtype in _WIDE,
        {"quantize.rule": from_the_lowest},
        record=QuantizeParameters,
    ),
    Fault(
        "F148",
        "codes that are 8-bit floats are rounded twice: to float16 first",
        "openvinotoolkit/openvino: QuantizeLinear to float8, measured",
        lambda p: p.dtype in FLOAT8,
        {"quantize.floats": by_way_of_float16},
        record=QuantizeParameters,
    ),
    Fault(
        "F148.reciprocal",
        "codes that are 8-bit floats are products with 1 / s, rounded twice: to float16 first",
        "openvinotoolkit/openvino: QuantizeLinear to float8 of constant scales, measured on 14 shapes",
        lambda p: p.dtype in FLOAT8,
        {"quantize.floats": by_way_of_float16, "quantize.quotient": by_the_reciprocal},
        record=QuantizeParameters,
    ),
    Fault(
        "F143.highest",
        "QuantizeLinear with a negative scale makes everything the highest code",
        "openvinotoolkit/openvino: the same behind an operator that it is fused with, measured",
        _may_be_negative,
        {"quantize.rule": clipped_at(2.0**31)},
        record=QuantizeParameters,
    ),
)
