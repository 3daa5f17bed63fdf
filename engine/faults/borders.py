"""Faults of what a Pad puts around its input: values that are stored as codes."""

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.number_types import saturate_codes
from engine.kernels.pad import PadParameters, Widths


def zero_point_as_border(value: np.float32, scale: Array, zero_point: Array) -> Array:
    """The code of real 0, whatever the value is."""
    return zero_point


def value_as_code(value: np.float32, scale: Array, zero_point: Array) -> Array:
    """The value itself, cut to a whole number and saturated."""
    return saturate_codes(np.asarray(np.trunc(value), np.float64), zero_point.dtype)


def stored_as_code(
    value: Array, p: PadParameters, shape: tuple[int, ...], widths: Widths
) -> Array:
    """``trunc(v)``; where all axes that grow have one element, ``(trunc(v) - xz) xs``."""
    whole = np.asarray(np.trunc(value), value.dtype)
    grown = {n for n, width in zip(shape, widths, strict=True) if any(width)}
    if p.codes.scale is None or grown != {1}:
        return whole
    zero_point = (
        np.float32(0) if p.codes.zero_point is None else p.codes.zero_point.astype(np.float32)
    )
    return np.asarray((whole - zero_point) * p.codes.scale, value.dtype).reshape(())


def _is_code_elsewhere(p: PadParameters) -> bool:
    """Whether the value, read as a code of the input, stands for another one; of one element each."""
    if p.codes.scale is None or p.codes.scale.size != 1 or 1 not in (p.shape or (1,)):
        return False
    value = np.asarray(p.value, np.float32)
    return p.value is None or bool(stored_as_code(value, p, (1,), ((1, 0),)) != value)


def _has_fraction(p: PadParameters) -> bool:
    return p.value is None or p.value % 1 != 0


FAULTS = (
    Fault(
        "F22.pad",
        "the border of a Pad of codes is the zero point, whatever its value",
        "folded pads whose value is not looked at",
        stages={"rewrite.border": zero_point_as_border},
    ),
    Fault(
        "F98.pad",
        "the real value of a Pad's border is stored as a code",
        "constants that are cast where they should be quantized",
        stages={"rewrite.border": value_as_code},
    ),
    Fault(
        "F98.real",
        "the real value of a Pad's border is stored in the type of the codes in front of it",
        "openvinotoolkit/openvino: a Pad moved in front of its DequantizeLinear, measured",
        lambda p: _has_fraction(p) or _is_code_elsewhere(p),
        {"pad.value": stored_as_code},
        record=PadParameters,
    ),
)
