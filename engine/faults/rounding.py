"""Faults between the accumulator and the code: rounding, conversion, activation."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from engine.arithmetic import round_half_away, round_half_even
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import clamp, subtract_zero_points
from engine.profiles import convert_then_saturate
from engine.profiles.quantization import Scale


def away_from_zero(steps: Array, zero_point: int) -> Array:
    """``sign(v) * floor(|v| + 1/2)``."""
    return round_half_away(steps)


def with_zero_point_inside(steps: Array, zero_point: int) -> Array:
    """``rne(v + z) - z``: with an odd zero point, ties go to odd steps."""
    return round_half_even(steps + zero_point) - zero_point


def quantize_away_from_zero(x: Array, scale: Scale, zero_point: Array) -> Array:
    """QuantizeLinear with ties away from zero."""
    return round_half_away(x / scale) + zero_point


def quantize_with_zero_point_inside(x: Array, scale: Scale, zero_point: Array) -> Array:
    """QuantizeLinear as ``rne(fl(x/s) + z)``."""
    return round_half_even(x / scale + zero_point)


def saturate_int32_first(steps: Array, low: int, high: int) -> Array:
    """Float32 steps become int32 before they are clipped: 2**31 - 64 already rounds to 2**31."""
    return convert_then_saturate(steps.astype(np.float32), low, high)


def quantize_int32_first(x: Array, scale: Scale, zero_point: Array) -> Array:
    """QuantizeLinear that rounds into int32: from 2**31 up, INT32_MIN."""
    steps = round_half_even(x / scale)
    return np.where(np.abs(steps) < 2.0**31, steps, -(2.0**31)) + zero_point


def relu_at_code_zero(codes: Array, p: ConvParameters) -> Array:
    """``max(q, 0)``: code 0 taken for real 0."""
    if p.activation != "Relu":
        return clamp(codes, p)
    clipped: Array = np.maximum(codes, 0)
    return clipped


def _reach(p: ConvParameters) -> Iterator[tuple[Fraction, int]]:
    """The exact multiplier of each channel, and a bound on its accumulator."""
    zero, info = p.x_zero_point, np.iinfo(p.x_dtype)
    distance = max(zero - int(info.min), int(info.max) - zero)
    sums = (
        np.abs(subtract_zero_points(p).astype(np.int64))
        .reshape(p.out_channels, -1)
        .sum(axis=1)
    )
    step = Fraction(float(p.y_scale))
    for k, total in enumerate(sums):
        bias = 0 if p.bias is None else abs(int(p.bias[k]))
        scale = Fraction(float(p.w_scales[k if p.w_scales.size > 1 else 0]))
        yield (
            Fraction(float(p.x_scale)) * scale / step,
            min(distance * int(total) + bias, 2**31),
        )


def can_tie(p: ConvParameters) -> bool:
    """Whether some ``acc * xs*ws/ys`` in reach is a half-integer inside the range of codes.

    With the multiplier n/d in lowest terms, ``acc * n/d`` is a half-integer for acc an odd
    multiple of d/2, so that d must be even, n odd; the first tie is at n/2.
    """
    return any(
        m.denominator % 2 == 0 and m.denominator // 2 <= bound and m.numerator < 512
        for m, bound in _reach(p)
    )


FAULTS = (
    Fault(
        "F70",
        "ties are rounded away from zero",
        "microsoft/onnxruntime#25045; sonos/tract PR 2672",
        can_tie,
        {"round": away_from_zero},
        quantize_away_from_zero,
    ),
    Fault(
        "F75",
        "the zero point is added before rounding: with an odd one, ties go to odd steps",
        "opencv/opencv modules/dnn/src/int8layers/conv2_int8_layer.cpp; onnx/onnx op_qlinear_conv.py",
        lambda p: p.y_zero_point % 2 != 0 and can_tie(p),
        {"round": with_zero_point_inside},
        quantize_with_zero_point_inside,
    ),
    Fault(
        "F76",
        "values from 2**31 up convert to INT32_MIN and clip to the lowest code",
        "x86 cvtps2dq; onnx/onnx reference/ops/op_quantize_linear.py",
        lambda p: any(m * bound >= 2**31 - 64 for m, bound in _reach(p)),
        {"saturate": saturate_int32_first},
        quantize_int32_first,
    ),
    Fault(
        "F80",
        "relu clamps at code 0 instead of at the zero point",
        "pytorch/executorch PR 18462",
        lambda p: p.activation == "Relu" and p.y_zero_point != 0,
        {"activate": relu_at_code_zero},
    ),
)
