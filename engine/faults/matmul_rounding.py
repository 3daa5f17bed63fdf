"""Faults of matrix products between steps and codes: rounding and activation."""

from fractions import Fraction

import numpy as np

from engine.arithmetic import RANGES, round_half_away
from engine.faults.matmul_reach import multipliers, product_fault, reach
from engine.ir import Array
from engine.kernels.matmul_stages import MatMulParameters, Steps, clamp

BLOCK = 8  # columns that fill a vector


def away_from_zero(steps: Array, offset: int) -> Array:
    """``sign(v) * floor(|v| + 1/2)``."""
    return round_half_away(steps)


def away_from_zero_in_the_rest(steps: Array, offset: int) -> Array:
    """The same in the columns behind the last whole block of 8; elsewhere to even."""
    rounded = np.rint(steps)
    rest = slice(steps.shape[-1] // BLOCK * BLOCK, None)
    rounded[..., rest] = round_half_away(steps[..., rest])
    return rounded


def half_up(steps: Array, offset: int) -> Array:
    """``floor(v + 1/2)``, the fraction compared."""
    whole = np.floor(steps)
    rounded: Array = whole + (steps - whole >= 0.5)
    return rounded


def truncated(steps: Array, offset: int) -> Array:
    """The fraction cut off."""
    whole: Array = np.trunc(steps)
    return whole


def floored(steps: Steps, p: MatMulParameters) -> Steps:
    """The integer below, where codes below the zero point exist; elsewhere it is F72."""
    return (lambda acc: np.floor(steps(acc))) if _is_inside(p) else steps


def _is_inside(p: MatMulParameters) -> bool:
    return p.y_dtype is not None and p.y_zero_point > RANGES[p.y_dtype][0]


def rounded_with_zero_point(steps: Array, offset: int) -> Array:
    """``rne(v + z) - z``: with an odd zero point, ties go to odd steps."""
    whole: Array = np.rint(steps + offset) - offset
    return whole


def rounded_twice(steps: Steps, p: MatMulParameters) -> Steps:
    """``M = f * 2**-e``, 1/2 <= f < 1: ``acc * f`` is rounded, half up, then ``2**-e`` times that."""
    exponent = np.maximum(-np.frexp(multipliers(p))[1], 0)

    def run(acc: Array) -> Array:
        v = steps(acc).astype(np.float64)
        high = np.ldexp(v, exponent)
        return np.where(exponent > 0, np.ldexp(np.floor(high + 0.5), -exponent), v)

    return run


def relu_at_code_zero(codes: Array, p: MatMulParameters) -> Array:
    """``max(q, 0)`` of int8: code 0 taken for real 0."""
    signed = p.activation == "Relu" and codes.dtype == np.int8
    return np.maximum(codes, 0) if signed else clamp(codes, p)


def relu_at_zero_point_of_a(codes: Array, p: MatMulParameters) -> Array:
    """``max(q, az)``: the zero point of a for that of y, where it is not 0 or the lowest code."""
    low = _zero_point_of_a(p)
    if p.activation != "Relu" or low is None:
        return clamp(codes, p)
    clipped: Array = np.maximum(codes, low).astype(codes.dtype)
    return clipped


def _zero_point_of_a(p: MatMulParameters) -> int | None:
    assert p.y_dtype is not None
    lowest, highest = RANGES[p.y_dtype]
    low = min(max(int(p.a_zero_point.flat[0]), lowest), highest)
    return None if low in (0, lowest) else low


def bounds_as_codes(codes: Array, p: MatMulParameters) -> Array:
    """``min(max(q, 0), 6)`` for bounds of 0 and 6, whatever the scale."""
    if p.activation != "Clip":
        return clamp(codes, p)
    low, high = np.rint(np.clip(p.bounds, *RANGES[codes.dtype]))
    clipped: Array = np.minimum(np.maximum(codes, low), high).astype(codes.dtype)
    return clipped


def bounds_in_codes_of_a(codes: Array, p: MatMulParameters) -> Array:
    """The bounds with the scale and zero point of a."""
    if p.activation != "Clip":
        return clamp(codes, p)
    low, high = _in_codes_of_a(p)
    clipped: Array = np.minimum(np.maximum(codes, low), high).astype(codes.dtype)
    return clipped


def _in_codes_of_a(p: MatMulParameters) -> tuple[int, int]:
    assert p.y_dtype is not None
    steps = np.array(p.bounds) / float(p.a_scale.flat[0]) + float(p.a_zero_point.flat[0])
    low, high = np.rint(np.clip(steps, *RANGES[p.y_dtype]))
    return int(low), int(high)


def without_relu(codes: Array, p: MatMulParameters) -> Array:
    """Codes below the zero point stay."""
    return codes if p.activation == "Relu" else clamp(codes, p)


def _has_a_rest(p: MatMulParameters) -> bool:
    """Whether columns lie behind the last whole block."""
    return bool(p.b.shape[-1] % BLOCK)


def _is_fractional(p: MatMulParameters) -> bool:
    found = reach(p)
    return found.steps >= 0.5 and any(m.denominator > 1 for m in found.multipliers)


def _has_negative_fractions(p: MatMulParameters) -> bool:
    found = reach(p)
    return (
        _is_inside(p) and found.sums > 0 and any(m.denominator > 1 for m in found.multipliers)
    )


def _rounds_twice(p: MatMulParameters) -> bool:
    found = reach(p)
    return found.steps > 0.5 and any(abs(m) < Fraction(1, 2) for m in found.multipliers)


def _relu_moves(p: MatMulParameters) -> bool:
    return p.activation == "Relu" and _zero_point_of_a(p) not in (None, p.low)


def _bounds_move(p: MatMulParameters) -> bool:
    if p.activation != "Clip" or p.y_dtype is None:
        return False
    bounds = np.rint(np.clip(p.bounds, *RANGES[p.y_dtype]))
    return (bounds[0], bounds[1]) != (p.low, p.high)


def _bounds_are_others(p: MatMulParameters) -> bool:
    return p.activation == "Clip" and _in_codes_of_a(p) != (p.low, p.high)


FAULTS = (
    product_fault(
        "F70.matmul",
        "ties of products are rounded away from zero",
        "microsoft/onnxruntime#25045; sonos/tract PR 2672",
        lambda p: reach(p).ties,
        {"round": away_from_zero},
    ),
    product_fault(
        "F70.matmul.rest",
        "ties of products are rounded away from zero in the last columns, fewer than 8",
        "opencv/opencv modules/dnn/src/int8layers/matmul_int8_layer.cpp, measured",
        lambda p: reach(p).ties and _has_a_rest(p),
        {"round": away_from_zero_in_the_rest},
    ),
    product_fault(
        "F71.matmul",
        "ties of products are rounded up",
        "tenstorrent/tt-metal#56525",
        lambda p: reach(p).ties,
        {"round": half_up},
    ),
    product_fault(
        "F75.matmul",
        "the zero point of a product is added before rounding",
        "onnx/onnx reference/ops/op_qlinear_matmul.py",
        lambda p: p.y_zero_point % 2 != 0 and reach(p).ties,
        {"round": rounded_with_zero_point},
    ),
    product_fault(
        "F72.matmul",
        "steps of products are truncated",
        "microsoft/onnxruntime PR 32452",
        _is_fractional,
        {"round": truncated},
    ),
    product_fault(
        "F73a.matmul",
        "steps of products are rounded down, the negative ones away from zero",
        "casts that floor",
        _has_negative_fractions,
        {"rescale": floored},
    ),
    product_fault(
        "F77.matmul",
        "steps of products are rounded twice: by the multiplier, then by the shift",
        "google/gemmlowp fixedpoint.h",
        _rounds_twice,
        {"rescale": rounded_twice},
    ),
    product_fault(
        "F80.matmul",
        "relu behind a product clamps int8 codes at 0 instead of at the zero point",
        "pytorch/executorch PR 18462",
        lambda p: p.activation == "Relu" and p.y_zero_point != 0 and p.y_dtype == np.int8,
        {"activate": relu_at_code_zero},
    ),
    product_fault(
        "F80b.matmul",
        "relu behind a product clamps at the zero point of a instead of y's",
        "zero points at hand",
        _relu_moves,
        {"activate": relu_at_zero_point_of_a},
    ),
    product_fault(
        "F83.matmul",
        "the bounds of a Clip behind a product are taken for codes",
        "kernels for relu6 that clamp codes at 0 and 6",
        _bounds_move,
        {"activate": bounds_as_codes},
    ),
    product_fault(
        "F81.matmul",
        "relu behind a product is dropped although negative codes exist",
        "rules that take every zero point for the lowest code",
        lambda p: p.activation == "Relu" and _is_inside(p),
        {"activate": without_relu},
    ),
    product_fault(
        "F84.matmul",
        "the bounds of a Clip behind a product are quantized with the parameters of a",
        "activations fused with the parameters at hand",
        _bounds_are_others,
        {"activate": bounds_in_codes_of_a},
    ),
)
