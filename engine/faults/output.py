"""Faults of how a convolution stores its codes: in another type, unclipped, clipped too early."""

from dataclasses import replace

import numpy as np

from engine.arithmetic import RANGES
from engine.faults.conv_reach import reach
from engine.faults.fault import Fault
from engine.faults.layout import fills_blocks
from engine.faults.rounding import NO_INT32, saturate_int32_first
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Clip, ToCodes, add_zero_point

WORDS = 2**15


def in_type_of_x(p: ConvParameters, offset: int, clip: Clip) -> ToCodes:
    """``sat`` to the type of x, the bytes of which are then read as the type of y."""
    to_codes = add_zero_point(replace(p, y_dtype=p.x_dtype), offset, clip)
    return lambda whole: to_codes(whole).view(p.y_dtype)


def lowest_bits(p: ConvParameters, offset: int, clip: Clip) -> ToCodes:
    """``(v + z) mod 256``; what is infinite or no number is 0."""

    def to_codes(whole: Array) -> Array:
        codes = np.fmod(np.where(np.isfinite(whole), whole, 0) + offset, 256)
        stored: Array = codes.astype(np.int16).astype(np.uint8).view(p.y_dtype)
        return stored

    return to_codes


def through_signed_words(p: ConvParameters, offset: int, clip: Clip) -> ToCodes:
    """0 for ``v + z`` from 2**15 on: saturated to uint16, then read as int16 and saturated to uint8."""
    to_codes = add_zero_point(p, offset, clip)

    def stored(whole: Array) -> Array:
        codes = to_codes(whole)
        return np.where(whole + offset >= WORDS, np.zeros_like(codes), codes)

    return stored if _is_through_words(p) else to_codes


def _is_through_words(p: ConvParameters) -> bool:
    return p.groups > 1 and p.y_dtype == np.uint8 and _steps(p) + p.y_zero_point >= WORDS


def saturated_before_zero_point(p: ConvParameters, offset: int, clip: Clip) -> ToCodes:
    """``sat(sat(v) + z)``."""
    inside = p.y_zero_point - offset
    low, high = (each + inside for each in RANGES[p.y_dtype])
    to_codes = add_zero_point(p, offset, clip)
    return lambda whole: to_codes(clip(whole, low, high))


def with_zero_point_in_int32(p: ConvParameters, offset: int, clip: Clip) -> ToCodes:
    """``clip(int32(float32(v + z)))``; from 2**31 on int32 is INT32_MIN."""
    to_codes = add_zero_point(p, 0, saturate_int32_first)
    return lambda whole: to_codes(whole + offset)


def _steps(p: ConvParameters) -> float:
    return max((each.steps for each in reach(p)), default=0.0)


def _leaves(p: ConvParameters, low: int, high: int) -> bool:
    """Whether codes, not yet clipped, can leave these bounds."""
    return _steps(p) > min(p.y_zero_point - low, high - p.y_zero_point) + 0.5


def _leaves_type_of_x(p: ConvParameters) -> bool:
    return p.x_dtype != p.y_dtype and _leaves(p, 0, 127)


def with_zero_point_of_table(p: ConvParameters, offset: int, clip: Clip) -> ToCodes:
    """The codes that a table is to read have the zero point of those that it gives."""
    given = p.table_zero_point
    if given is None or not _is_with_sigmoid(p):
        return add_zero_point(p, offset, clip)
    return add_zero_point(p, offset + given - p.y_zero_point, clip)


def _is_with_sigmoid(p: ConvParameters) -> bool:
    """Whether it is one in blocks, with int8 weights around 0, that takes a Sigmoid along."""
    around_0 = p.w.dtype == np.int8 and not p.w_zero_points.any()
    return p.table_of == "Sigmoid" and around_0 and fills_blocks(p)


def _saturates_first(p: ConvParameters) -> bool:
    """Whether steps can leave the range of codes on the side from which the zero point leads back."""
    low, high = RANGES[p.y_dtype]
    side = -low if p.y_zero_point > 0 else high
    return p.y_zero_point != 0 and _steps(p) > side + 0.5


FAULTS = (
    Fault(
        "F36",
        "the codes of a convolution are clipped to the type of x instead of that of y",
        "opencv/opencv 5.x, layers that give their outputs the type of their inputs",
        _leaves_type_of_x,
        {"to_codes": in_type_of_x},
    ),
    Fault(
        "F38",
        "the codes of a convolution are stored without being clipped",
        "tinygrad/tinygrad#8546",
        lambda p: _leaves(p, *RANGES[p.y_dtype]),
        {"to_codes": lowest_bits},
    ),
    Fault(
        "F169",
        "uint8 codes of a grouped convolution are 0 where they would be 2**15 or more",
        "oneDNN's int8 convolution by matrix products, in openvinotoolkit/openvino, measured",
        _is_through_words,
        {"to_codes": through_signed_words},
    ),
    Fault(
        "F130",
        "a convolution with a Sigmoid behind it adds the zero point of that one's output to its own codes",
        "opencv/opencv 5.x Conv2Int8 with a fused activation, measured on 1200 convolutions of codes",
        lambda p: _is_with_sigmoid(p) and p.table_zero_point not in (None, p.y_zero_point),
        {"to_codes": with_zero_point_of_table},
    ),
    Fault(
        "F76.zero",
        "values that reach 2**31 with the zero point convert to INT32_MIN and clip to the lowest code",
        "opencv/opencv 5.x Conv2Int8, measured on biases around 2**31",
        lambda p: _steps(p) + p.y_zero_point >= NO_INT32,
        {"to_codes": with_zero_point_in_int32},
    ),
    Fault(
        "F74",
        "a convolution is saturated before its zero point is added",
        "ROCm/rocMLIR PR 1034",
        _saturates_first,
        {"to_codes": saturated_before_zero_point},
    ),
)
