"""Faults of matrix products behind the sums: bias, scales, rounding, saturation, activation."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from engine.arithmetic import RANGES, Int32
from engine.faults.fault import Fault
from engine.faults.matmul_reach import multipliers, product_fault, reach
from engine.ir import Array
from engine.kernels.matmul_stages import (
    Clip,
    MatMulParameters,
    Steps,
    add_bias,
    store,
)
from engine.profiles import Requantization
from engine.profiles.matmul import ToReals


def inverted(r: Requantization, p: MatMulParameters) -> Requantization:
    """``ys / (as*bs)`` for ``as*bs / ys``."""
    inverse = np.float32(1) / r.w_scale
    return replace(
        r, x_scale=r.y_scale, w_scale=inverse, y_scale=np.float32(np.max(r.x_scale))
    )


def doubled(r: Requantization, p: MatMulParameters) -> Requantization:
    """A shift of one bit less."""
    return replace(r, x_scale=r.x_scale * np.float32(2))


def below_1(r: Requantization, p: MatMulParameters) -> Requantization:
    """``min(as*bs/ys, 1)``."""
    most = np.asarray(r.y_scale / (np.float32(p.alpha) * r.x_scale), np.float32)
    return replace(r, w_scale=np.minimum(r.w_scale, most))


def without_bias(r: Requantization, p: MatMulParameters) -> Requantization:
    """The bias is left to another stage."""
    return replace(r, bias=None)


def add_nothing(acc: Int32, bias: Array) -> Int32:
    """``acc`` for ``acc + c``."""
    return acc


def bias_after_rounding(steps: Steps, p: MatMulParameters) -> Steps:
    """``rne(v) + rne(b * as*bs/ys)`` for ``rne(v + b * as*bs/ys)``."""
    if p.bias is None:
        return steps
    bias = np.rint(p.bias * multipliers(p))
    return lambda acc: np.rint(steps(acc)) + bias


def without_last_columns(bias: Array) -> Array:
    """The bias, 0 in the columns behind the last whole block of 8."""
    columns = np.arange(bias.shape[-1])
    kept: Array = np.where(columns < bias.shape[-1] // 8 * 8, bias, 0)
    return kept


def bias_of_whole_blocks(r: Requantization, p: MatMulParameters) -> Requantization:
    """The same for results in codes."""
    return r if r.bias is None else replace(r, bias=without_last_columns(r.bias))


def add_bias_of_whole_blocks(acc: Int32, bias: Array) -> Int32:
    """The same for real results."""
    return add_bias(acc, without_last_columns(bias))


def scales_by_row(steps: Steps, p: MatMulParameters) -> Steps:
    """The scales of the columns applied to the rows, where a square lets it pass."""
    return lambda acc: _turned(steps(_turned(acc, p)), p)


def real_scales_by_row(reals: ToReals, p: MatMulParameters) -> ToReals:
    """The same of a real result."""

    def run(acc: Array, a: Array, b: Array, alpha: np.float32, bias: Array | None) -> Array:
        y = _turned(reals(_turned(acc, p), a, b, alpha, None), p)
        return y if bias is None else y + bias

    return lambda acc, a, b, alpha, bias: (
        run(acc, a, b, alpha, bias) if _turns(acc, p) else reals(acc, a, b, alpha, bias)
    )


def float_bias_in_steps(reals: ToReals, p: MatMulParameters) -> ToReals:
    """A real bias becomes int32 in steps of ``alpha*as*bs``, clipped where there are too many."""

    def run(acc: Array, a: Array, b: Array, alpha: np.float32, bias: Array | None) -> Array:
        return reals(acc, a, b, alpha, None if bias is None else _in_steps(bias, p))

    return run


def _in_steps(bias: Array, p: MatMulParameters) -> Array:
    steps = p.a_scale.astype(np.float64) * p.b_scale.astype(np.float64) * p.alpha
    codes = np.clip(np.rint(bias / steps), -(2.0**31), 2.0**31 - 1)
    real: Array = (codes * steps).astype(np.float32)
    return real


def _turned(acc: Array, p: MatMulParameters) -> Array:
    return acc.swapaxes(-1, -2) if _turns(acc, p) else acc


def _turns(acc: Array, p: MatMulParameters) -> bool:
    square = acc.ndim > 1 and acc.shape[-1] == acc.shape[-2] == p.b_scale.size
    return square and p.a_scale.size == 1


def in_type_of_a(whole: Array, p: MatMulParameters, offset: int, clip: Clip) -> Array:
    """``sat`` to the type of a, the bytes of which are then read as the type of y."""
    if p.a_dtype not in RANGES or p.y_dtype is None:
        return store(whole, p, offset, clip)
    codes: Array = store(whole, replace(p, y_dtype=p.a_dtype), offset, clip).view(p.y_dtype)
    return codes


def lowest_bits(whole: Array, p: MatMulParameters, offset: int, clip: Clip) -> Array:
    """``(v + z) mod 256``; what is infinite or no number is 0."""
    assert p.y_dtype is not None
    codes = np.fmod(np.where(np.isfinite(whole), whole, 0) + offset, 256)
    stored: Array = codes.astype(np.int16).astype(np.uint8).view(p.y_dtype)
    return stored


def saturated_before_zero_point(
    whole: Array, p: MatMulParameters, offset: int, clip: Clip
) -> Array:
    """``sat(sat(v) + z)``."""
    assert p.y_dtype is not None
    low, high = RANGES[p.y_dtype]
    zero = p.y_zero_point
    steps = clip(whole, low + zero - offset, high + zero - offset)
    return store(steps, p, offset, clip)


def _inverts(p: MatMulParameters) -> bool:
    found = reach(p)
    return found.sums > 0 and any(m != Fraction(p.alpha) for m in found.multipliers)


def _exceeds_1(p: MatMulParameters) -> bool:
    found = reach(p)
    return found.sums > 0 and p.alpha > 0 and any(m > 1 for m in found.multipliers)


def _saturates(p: MatMulParameters) -> bool:
    """Whether codes can leave their range."""
    if p.y_dtype is None:
        return False
    low, high = RANGES[p.y_dtype]
    return reach(p).steps >= min(high - p.y_zero_point, p.y_zero_point - low) + 0.5


def _saturates_first(p: MatMulParameters) -> bool:
    """Whether steps can leave the range of codes on the side from which the zero point leads back."""
    if p.y_dtype is None or p.y_zero_point == 0:
        return False
    low, high = RANGES[p.y_dtype]
    return reach(p).steps >= (-low if p.y_zero_point > 0 else high) + 0.5


def _adds_bias(p: MatMulParameters) -> bool:
    """Whether product and bias are both fractions of a step, or a whole odd bias moves ties."""
    if p.y_dtype is None or p.bias is None or not p.bias.any():
        return False
    found = reach(p)
    return found.ties or any(m.denominator > 1 for m in found.multipliers)


def _has_bias_in_tail(p: MatMulParameters) -> bool:
    return p.bias is not None and bool((without_last_columns(p.bias) != p.bias).any())


def _rounds_float_bias(p: MatMulParameters) -> bool:
    bias = p.float_bias
    return bias is not None and bool((_in_steps(bias, p) != bias).any())


def _is_square(p: MatMulParameters) -> bool:
    """Whether there may be as many rows as columns with scales of their own."""
    if p.op == "MatMulInteger" or not (p.b_scale != p.b_scale.flat[0]).any() or p.b_is_vector:
        return False
    shape = p.a_shape
    if shape is None:
        return True
    return len(shape) > 1 and shape[-1 if p.turn_a else -2] == p.b_scale.size


def _changes_type(p: MatMulParameters) -> bool:
    """Whether some code is not among the 128 that both types have."""
    if p.y_dtype is None or p.a_dtype not in RANGES or p.a_dtype == p.y_dtype:
        return False
    return reach(p).sums > 0 or not 0 <= p.y_zero_point <= 127


FAULTS = (
    product_fault(
        "F64.matmul.whole",
        "the bias of a product is dropped",
        "opencv/opencv 5.x QGemm, measured",
        lambda p: p.bias is not None and bool(p.bias.any()),
        {"requantization": without_bias, "bias": add_nothing},
    ),
    product_fault(
        "F64.matmul",
        "the bias of a product is dropped behind the last whole block of 8 columns",
        "tails that another loop computes",
        _has_bias_in_tail,
        {"requantization": bias_of_whole_blocks, "bias": add_bias_of_whole_blocks},
    ),
    product_fault(
        "F63.matmul",
        "the float bias of a product is rounded, and clipped, to int32 steps of a_scale * b_scale",
        "microsoft/onnxruntime#21000, PR 21645, PR 22020",
        _rounds_float_bias,
        {"to_reals": float_bias_in_steps},
    ),
    product_fault(
        "F60e",
        "the scales of the columns of b are applied to the rows of the result",
        "operands of MatMulIntegerToFloat swapped",
        _is_square,
        {"rescale": scales_by_row, "to_reals": real_scales_by_row},
    ),
    product_fault(
        "F36.matmul",
        "the codes of a product are clipped and stored in the type of a",
        "opencv/opencv 5.x getTypes of its integer layers",
        _changes_type,
        {"store": in_type_of_a},
    ),
    product_fault(
        "F38.matmul",
        "the codes of a product are stored without being clipped",
        "tinygrad/tinygrad#8546",
        _saturates,
        {"store": lowest_bits},
    ),
    product_fault(
        "F74.matmul",
        "a product is saturated before its zero point is added",
        "ROCm/rocMLIR PR 1034",
        _saturates_first,
        {"store": saturated_before_zero_point},
    ),
    product_fault(
        "F54.matmul",
        "the multiplier of a product is inverted",
        "scales divided the wrong way round",
        _inverts,
        {"requantization": inverted},
    ),
    product_fault(
        "F60a.matmul",
        "the fixed-point shift of a product is one off: steps are doubled",
        "google/gemmlowp, multipliers normalised to [1/2, 1)",
        lambda p: reach(p).steps >= 0.25,
        {"requantization": doubled},
    ),
    product_fault(
        "F60b.matmul",
        "multipliers of a product above 1 are clamped to 1",
        "pytorch/QNNPACK requires multipliers below 1",
        _exceeds_1,
        {"requantization": below_1},
    ),
    product_fault(
        "F61.matmul",
        "the bias of a product is rounded by itself and added after requantization",
        "pytorch/executorch PR 20655",
        _adds_bias,
        {"requantization": without_bias, "rescale": bias_after_rounding},
    ),
    Fault(
        "F62",
        "alpha of a Gemm is applied to its bias too",
        "microsoft/onnxruntime#28130",
        guards_off=("G11/alpha",),
    ),
    Fault(
        "F62.beta",
        "beta of a Gemm is ignored",
        "microsoft/onnxruntime#28130",
        guards_off=("G11/beta",),
    ),
)
