"""F128 of what joins or chooses codes: those that are rescaled become codes by a cast."""

import numpy as np

from engine.arithmetic import RANGES, fused_multiply_add
from engine.faults.combination_casts import Affine, multiply_and_add
from engine.faults.dequantize import distributed, distributed_at_once
from engine.faults.movement import looked_up, requantizing
from engine.faults.roundings import cast_then_moved, clipped_then_moved, wrap_between
from engine.ir import Array
from engine.kernels.qlinear_select import Requantize, SelectParameters, by_table
from engine.kernels.table import every_code
from engine.profiles import Profile
from engine.profiles.elementwise_exact import Operand


def cast(index: int, p: SelectParameters, profile: Profile) -> Requantize | None:
    """``trunc((q - xz) xs/ys + yz)`` modulo 256, of every code, looked up.

    A choice adds yz to what was cast: ``sat(trunc(fl(r i)) modulo 256 + yz)``, r and i as in `cast_at_once`,
    and of equal parameters, too.
    """
    x, (low, high) = p.inputs[index], RANGES[p.dtype]
    if p.op == "QLinearWhere":
        steps = distributed_at_once(every_code(p.dtype), *_parameters(x)) * _inverse(p)
        return looked_up(cast_then_moved(steps, p.y_zero_point, low, high), p)
    if by_table(index, p, profile) is None:
        return None
    steps = (every_code(p.dtype).astype(np.float32) - np.float32(x.zero_point)) * x.scale
    codes = wrap_between(np.trunc(steps / p.y_scale + p.y_zero_point), low, high)
    return looked_up(codes, p)


def cast_at_once(index: int, p: SelectParameters, profile: Profile) -> Requantize | None:
    """``trunc(fl(r i + yz))`` modulo 256, ``r = fl(q xs - fl(xz xs))``, ``i = fl(1/ys)``, equal parameters or not.

    Of a single tensor it is ``trunc(fl(q fl(xs i) + fl(yz - fl(fl(xz xs) i))))``.
    """
    if p.op != "QLinearConcat":
        return by_table(index, p, profile)
    steps = np.trunc(_joined(index, p, fused_multiply_add))
    return looked_up(wrap_between(steps, *RANGES[p.dtype]), p)


def clipped(index: int, p: SelectParameters, profile: Profile) -> Requantize | None:
    """The same with each product rounded, clipped instead of modulo 256, of a choice as of a concatenation."""
    x, (low, high) = p.inputs[index], RANGES[p.dtype]
    if p.op == "QLinearWhere":
        steps = distributed(every_code(p.dtype), *_parameters(x)) * _inverse(p)
        return looked_up(clipped_then_moved(steps, p.y_zero_point, low, high), p)
    steps = _joined(index, p, multiply_and_add)
    return looked_up(clipped_then_moved(steps, 0, low, high), p)


def _joined(index: int, p: SelectParameters, affine: Affine) -> Array:
    """What every code of an input of a concatenation becomes, not yet converted."""
    codes, inverse, z = every_code(p.dtype).astype(np.float32), _inverse(p), p.y_zero_point
    scale, zero_point = _parameters(p.inputs[index])
    shift = zero_point.astype(np.float32) * scale
    if len(p.inputs) == 1:
        return affine(codes, scale * inverse, np.float32(z) - shift * inverse)
    return affine(affine(codes, scale, -shift), inverse, np.float32(z))


def _inverse(p: SelectParameters) -> np.float32:
    return np.float32(np.float32(1) / np.float32(p.y_scale))


def _parameters(x: Operand) -> tuple[Array, Array]:
    return np.asarray(x.scale, np.float32), np.asarray(x.zero_point, np.int16)


FAULTS = (
    requantizing(
        "F128.concat",
        "codes that a concatenation or choice rescales are cast: fraction cut off, lowest bits kept",
        "openvinotoolkit/openvino: the ONNX front end's QLinearConcat and QLinearWhere, measured",
        cast,
    ),
    requantizing(
        "F128.concat.fused",
        "codes of a concatenation, rescaled or not, are cast behind two multiply-adds, one with a reciprocal",
        "openvinotoolkit/openvino: the ONNX front end's QLinearConcat in generated code, measured",
        cast_at_once,
    ),
    requantizing(
        "F128.concat.clipped",
        "codes of a concatenation or choice, rescaled or not, are converted: clipped, fraction cut off",
        "openvinotoolkit/openvino: QLinearConcat and QLinearWhere behind an open batch, measured",
        clipped,
    ),
)
