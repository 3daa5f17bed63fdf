"""Faults of the activation of a convolution, which is a clamp of its codes."""

import numpy as np

from engine.arithmetic import RANGES
from engine.faults.fault import Fault
from engine.faults.rounding import can_tie, with_zero_point_inside
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import clamp

Bounds = tuple[int, int]


def relu_at_code_zero(codes: Array, p: ConvParameters) -> Array:
    """``max(q, 0)`` of int8: code 0 taken for real 0."""
    return np.maximum(codes, 0) if _is_signed_relu(p) else clamp(codes, p)


def relu_at_zero_point_of_x(codes: Array, p: ConvParameters) -> Array:
    """``max(q, zx)``: the zero point of x for that of y, where it is not 0 or the lowest code."""
    low = _zero_point_of_x(p)
    return clamp(codes, p) if low is None else np.maximum(codes, p.y_dtype.type(low))


def bounds_as_codes(codes: Array, p: ConvParameters) -> Array:
    """``min(max(q, 0), 6)`` for bounds of 0 and 6, whatever the scale."""
    return _clip(codes, p, _codes_of(p, 1.0, 0))


def bounds_in_codes_of_x(codes: Array, p: ConvParameters) -> Array:
    """The bounds with the scale and zero point of x."""
    return _clip(codes, p, _codes_of(p, float(p.x_scale), p.x_zero_point))


def bounds_as_steps(codes: Array, p: ConvParameters) -> Array:
    """``min(max(q, yz), yz + 6)`` for bounds of 0 and 6: clipped after the division by the scale.

    With zero point 0 it would be F83.
    """
    if p.y_zero_point == 0:
        return clamp(codes, p)
    return _clip(codes, p, _codes_of(p, 1.0, p.y_zero_point))


def bounds_with_zero_point_inside(codes: Array, p: ConvParameters) -> Array:
    """The bounds as ``rne(v/ys + yz)``."""
    return _clip(codes, p, _codes_of(p, float(p.y_scale), p.y_zero_point))


def _clip(codes: Array, p: ConvParameters, bounds: Bounds) -> Array:
    if p.activation != "Clip":
        return clamp(codes, p)
    low, high = map(p.y_dtype.type, bounds)
    clipped: Array = np.minimum(np.maximum(codes, low), high)
    return clipped


def _codes_of(p: ConvParameters, scale: float, zero_point: int) -> Bounds:
    codes = np.rint(np.clip(np.array(p.bounds) / scale + zero_point, *RANGES[p.y_dtype]))
    return int(codes[0]), int(codes[1])


def _moves(p: ConvParameters, bounds: Bounds) -> bool:
    return p.activation == "Clip" and bounds != (p.low, p.high)


def _is_signed_relu(p: ConvParameters) -> bool:
    return p.activation == "Relu" and p.y_dtype == np.int8


def _zero_point_of_x(p: ConvParameters) -> int | None:
    """Where a relu clamps that takes it for y's; None where it would clamp at 0 or not at all."""
    lowest, highest = RANGES[p.y_dtype]
    low = min(max(p.x_zero_point, lowest), highest)
    return None if p.activation != "Relu" or low in (0, lowest) else low


FAULTS = (
    Fault(
        "F80",
        "relu clamps int8 codes at 0 instead of at the zero point",
        "pytorch/executorch PR 18462",
        lambda p: _is_signed_relu(p) and p.low != 0,
        {"activate": relu_at_code_zero},
    ),
    Fault(
        "F80b",
        "relu behind a convolution clamps at the zero point of x instead of y's",
        "zero points at hand",
        lambda p: _zero_point_of_x(p) not in (None, p.low),
        {"activate": relu_at_zero_point_of_x},
    ),
    Fault(
        "F83",
        "the bounds of a Clip behind a convolution are taken for codes",
        "kernels for relu6 that clamp codes at 0 and 6",
        lambda p: _moves(p, _codes_of(p, 1.0, 0)),
        {"activate": bounds_as_codes},
    ),
    Fault(
        "F84",
        "the bounds of a Clip behind a convolution are quantized with the parameters of x",
        "activations fused with the parameters at hand",
        lambda p: _moves(p, _codes_of(p, float(p.x_scale), p.x_zero_point)),
        {"activate": bounds_in_codes_of_x},
    ),
    Fault(
        "F75.clip",
        "the zero point is added before rounding, to the bounds of a Clip too",
        "opencv/opencv 5.x: a QuantizeLinear by itself behind a Clip of reals, measured",
        lambda p: (
            p.y_zero_point % 2 != 0
            and (can_tie(p) or _moves(p, _codes_of(p, float(p.y_scale), p.y_zero_point)))
        ),
        {"round": with_zero_point_inside, "activate": bounds_with_zero_point_inside},
    ),
    Fault(
        "F86f",
        "a Clip behind a convolution is applied after the division by the output's scale",
        "PaddlePaddle/Paddle PR 38331",
        lambda p: p.y_zero_point != 0 and _moves(p, _codes_of(p, 1.0, p.y_zero_point)),
        {"activate": bounds_as_steps},
    ),
)
