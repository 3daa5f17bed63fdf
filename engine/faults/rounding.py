"""Faults of rounding and conversion between the accumulator of a convolution, or reals, and the code."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from engine.arithmetic import RANGES, round_half_away, round_half_even
from engine.faults.conv_reach import reach
from engine.faults.fault import Fault
from engine.faults.quantizing import (
    quantizes,
    quantizes_far_values,
    quantizes_negative_values,
    quantizes_with_odd_zero_point,
)
from engine.faults.roundings import half_up
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.profiles import Prepare, Requantization, Rescaling, convert_then_saturate
from engine.profiles.fixed_point import tflite
from engine.profiles.quantization import Rule, Scale

NO_INT32 = 2**31 - 64
"""From here on the nearest float32 is 2**31 or more."""
ChooseRule = Callable[[Rule, object], Rule]
"""(QuantizeLinear's rule, the record of an operation) -> the rule that it follows."""


def away_from_zero(steps: Array, zero_point: int) -> Array:
    """``sign(v) * floor(|v| + 1/2)``."""
    return round_half_away(steps)


def with_zero_point_inside(steps: Array, zero_point: int) -> Array:
    """``rne(v + z) - z``: with an odd zero point, ties go to odd steps."""
    return round_half_even(steps + zero_point) - zero_point


def up(steps: Array, zero_point: int) -> Array:
    """``floor(v + 1/2)``."""
    return half_up(steps)


def cut_off(steps: Array, zero_point: int) -> Array:
    """``trunc(v)``."""
    whole: Array = np.trunc(steps)
    return whole


def rounded_down(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """``floor(v)``, where codes below the zero point exist; elsewhere it is F72."""
    rescaling = prepare(r)
    if not _is_inside(p):
        return rescaling
    return replace(rescaling, steps=lambda acc: np.floor(rescaling.steps(acc)))


def in_fixed_point(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """``M = f * 2**-e``, 1/2 <= f < 1 in 31 bits: ``acc * f`` is rounded, then ``2**-e`` times that."""
    return tflite(r)


def _quantize(rounding: Callable[[Array], Array]) -> ChooseRule:
    """QuantizeLinear with another rounding."""

    def rule(x: Array, scale: Scale, zero_point: Array) -> Array:
        return rounding(np.asarray(x / scale)) + zero_point

    return lambda right, p: rule


def quantize_rounded_down(right: Rule, p: object) -> Rule:
    """QuantizeLinear as ``floor(fl(x/s)) + z``, where that gives codes below the zero point."""

    def rule(x: Array, scale: Scale, zero_point: Array) -> Array:
        steps = np.asarray(x / scale)
        seen = quantizes_negative_values(p) and (steps < 0).any()
        return np.floor(steps) + zero_point if seen else right(x, scale, zero_point)

    return rule


def quantize_with_zero_point_inside(x: Array, scale: Scale, zero_point: Array) -> Array:
    """QuantizeLinear as ``rne(fl(x/s) + z)``."""
    return round_half_even(x / scale + zero_point)


def saturate_int32_first(steps: Array, low: int, high: int) -> Array:
    """Float32 steps become int32 before they are clipped: from `NO_INT32` on, INT32_MIN."""
    return convert_then_saturate(steps.astype(np.float32), low, high)


def quantize_int32_first(x: Array, scale: Scale, zero_point: Array) -> Array:
    """QuantizeLinear that rounds into int32: from 2**31 up, INT32_MIN."""
    steps = round_half_even(x / scale)
    return np.where(np.abs(steps) < 2.0**31, steps, -(2.0**31)) + zero_point


def can_tie(p: ConvParameters) -> bool:
    """Whether some steps in reach lie exactly between two codes."""
    return any(each.ties for each in reach(p))


def _is_inside(p: ConvParameters) -> bool:
    """Whether codes below the zero point exist, and no activation cuts them off."""
    return p.y_zero_point > max(RANGES[p.y_dtype][0], p.low if p.activation else -128)


def _has_fractions(p: ConvParameters) -> bool:
    return any(each.fractions and each.steps > 0.5 for each in reach(p))


def _has_negative_fractions(p: ConvParameters) -> bool:
    return _is_inside(p) and any(each.fractions for each in reach(p))


def _rounds_twice(p: ConvParameters) -> bool:
    """Whether a shift follows the first rounding, or that one meets ties."""
    return any(
        each.ties or (each.multiplier < 0.5 and each.fractions and each.steps > 0.25)
        for each in reach(p)
    )


def _rounding(
    key: str,
    title: str,
    source: str,
    trigger: Callable[[ConvParameters], bool],
    stages: Mapping[str, Callable[..., Any]],
    rule: ChooseRule,
    quantizes: Callable[[object], bool],
) -> Fault:
    """A fault of convolutions and of QuantizeLinear, with the condition on each.

    Where it cannot show, the right rule stays: it may be computed by a better way than its own.
    """

    def shows(p: object) -> bool:
        own = isinstance(p, ConvParameters) and trigger(p)
        return own or quantizes(p)

    def chosen(right: Rule, p: object) -> Rule:
        return rule(right, p) if quantizes(p) else right

    return Fault(key, title, source, shows, {**stages, "quantize.rule": chosen}, record=object)


FAULTS = (
    _rounding(
        "F70",
        "ties are rounded away from zero",
        "microsoft/onnxruntime#25045; sonos/tract PR 2672",
        can_tie,
        {"round": away_from_zero},
        _quantize(round_half_away),
        quantizes,
    ),
    _rounding(
        "F71",
        "ties are rounded up",
        "tenstorrent/tt-metal#56525",
        can_tie,
        {"round": up},
        _quantize(half_up),
        quantizes,
    ),
    _rounding(
        "F75",
        "the zero point is added before rounding: with an odd one, ties go to odd steps",
        "opencv/opencv modules/dnn/src/int8layers/conv2_int8_layer.cpp; onnx/onnx op_qlinear_conv.py",
        lambda p: p.y_zero_point % 2 != 0 and can_tie(p),
        {"round": with_zero_point_inside},
        lambda right, p: quantize_with_zero_point_inside,
        quantizes_with_odd_zero_point,
    ),
    _rounding(
        "F72",
        "the fraction of a step is cut off",
        "microsoft/onnxruntime PR 32452",
        _has_fractions,
        {"round": cut_off},
        _quantize(np.trunc),
        quantizes,
    ),
    _rounding(
        "F73a",
        "steps are rounded down, negative ones away from zero",
        "casts that floor",
        _has_negative_fractions,
        {"rescaling": rounded_down},
        quantize_rounded_down,
        quantizes_negative_values,
    ),
    Fault(
        "F77",
        "the steps of a convolution are rounded twice: by a fixed-point multiplier, then by its shift",
        "google/gemmlowp fixedpoint/fixedpoint.h",
        _rounds_twice,
        {"rescaling": in_fixed_point},
    ),
    _rounding(
        "F76",
        "values from 2**31 up convert to INT32_MIN and clip to the lowest code",
        "x86 cvtps2dq; onnx/onnx reference/ops/op_quantize_linear.py",
        lambda p: any(each.steps >= NO_INT32 for each in reach(p)),
        {"saturate": saturate_int32_first},
        lambda right, p: quantize_int32_first,
        quantizes_far_values,
    ),
)
