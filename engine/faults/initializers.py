"""Faults of initializers: written to by one reader, read as another type or along another axis."""

from dataclasses import replace

import numpy as np

from engine.faults.fault import Fault
from engine.fusion.match import View
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.kernels.quantize_granularity import Granularity, spread
from engine.kernels.quantize_parameters import DequantizeParameters, QuantizeParameters
from engine.kernels.stages import subtract_zero_points

_X_ZERO, _W, _W_ZERO, _BIAS = 2, 3, 5, 8


def less_the_zero_point(view: View, name: str) -> Array:
    """``b - zx sum (w - zw)`` of the first convolution that was fused with this bias.

    The folding of its zero point, in place: it is for padding that is materialised (R53).
    """
    codes = view.constants[name]
    for each in view.users(name):
        if each.op == "QLinearConv" and each.input(_BIAS) == name:
            x_zero, w, w_zero = (
                view.constants.get(each.inputs[place]) for place in (_X_ZERO, _W, _W_ZERO)
            )
            if x_zero is None or w is None or w_zero is None:
                return codes
            rows = w.astype(np.int64).reshape(len(w), -1) - w_zero.astype(np.int64).reshape(
                -1, 1
            )
            folded = codes - int(x_zero.reshape(())) * rows.sum(1)
            changed: Array = folded.astype(np.int32)
            return changed if (changed != codes).any() else codes
    return codes


def as_unsigned(codes: Array) -> Array:
    """The bytes of int8 codes as uint8."""
    return codes.view(np.uint8) if codes.dtype == np.int8 else codes


def moved_without_zero_point(p: ConvParameters) -> Array:
    """``(w + 128) - zw`` of int8 weights: uint8 codes and the zero point of int8 ones."""
    centred = subtract_zero_points(p)
    if p.w.dtype != np.int8:
        return centred
    moved: Array = centred + np.int16(128)
    return moved


def _is_untyped(p: DequantizeParameters) -> bool:
    """Whether negative int8 constants are dequantized and no zero point says what they are."""
    if p.codes is None or p.codes.dtype != np.int8 or not (p.codes < 0).any():
        return False
    readers = (each for each in p.graph.nodes if each.op == "DequantizeLinear")
    return any(each.inputs[0] == p.data and not each.input(2) for each in readers)


def axis_0() -> int:
    """The axis of scales where a node leaves it out."""
    return 0


def along_axis_0(parameter: Array, shape: tuple[int, ...], given: Granularity) -> Array:
    """Along axis 0 where the axis is left out and as many parameters fit there."""
    wanted = given
    if not given.says_axis and parameter.ndim == 1 and shape and shape[0] == parameter.size:
        wanted = replace(given, axis=0)
    return spread(parameter, shape, wanted)


def _moves_to_axis_0(p: DequantizeParameters | QuantizeParameters) -> bool:
    """Whether some element gets the scale or zero point of another."""
    given, shape = p.granularity, p.shape
    if given.says_axis or given.block_size:
        return False
    rows = [each for each in (p.scale, p.zero_point) if each is not None and each.size > 1]
    if shape is None:
        return any((each != each[0]).any() for each in rows)
    fits = len(shape) > 1 and all(shape[:2] == (each.size,) * 2 for each in rows)
    return fits and any((each != each[0]).any() for each in rows)


FAULTS = (
    Fault(
        "F68",
        "a bias that two convolutions share holds the zero point of the first one for the second",
        "weights that are prepared in place",
        stages={"rewrite.bias": less_the_zero_point},
    ),
    Fault(
        "F122.weights",
        "int8 weights become uint8 ones by 128, and their zero point stays",
        "microsoft/onnxruntime qdq_s8_to_u8 and avx2_weight_s8_to_u8, with zero points left behind",
        lambda p: p.w.dtype == np.int8 and p.w.size > 0,
        {"weights": moved_without_zero_point},
    ),
    Fault(
        "F114",
        "int8 constants whose DequantizeLinear has no zero point are read as uint8",
        "microsoft/onnxruntime#28491",
        _is_untyped,
        {"dequantize.untyped": as_unsigned},
        record=DequantizeParameters,
    ),
    Fault(
        "F115",
        "scales whose axis is left out lie along axis 0 in place of axis 1",
        "readers of an attribute with a default of their own",
        _moves_to_axis_0,
        {
            "rewrite.default_axis": axis_0,
            "quantize.spread": along_axis_0,
            "dequantize.spread": along_axis_0,
        },
        record=(DequantizeParameters, QuantizeParameters),
    ),
)
