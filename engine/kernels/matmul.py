"""Products of matrices of codes: the record of one, its stages, and the kernel they make.

With a = as(qa - az) and b = bs(qb - bz) the real product is ``alpha * as * bs * acc``,
``acc = sum (qa - az)(qb - bz) + c``, an exact integer kept in int32; like eq. (3) to (5).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.arithmetic import RANGES, Int32
from engine.errors import EngineError
from engine.ir import Array
from engine.kernels.matmul_blocks import batches, by_rows, exact_parts, joined, part_of
from engine.kernels.operator import Setting
from engine.profiles import Requantization, convert_then_saturate, saturate

Product = Callable[[Array], Array]
Sums = Callable[[Array], Int32]
"""Centred codes of a (..., M, K) -> their sums with the weights (..., M, N)."""


@dataclass(frozen=True, slots=True)
class MatMulParameters:
    """One product; b as the kernel multiplies it, (..., K, N), its parameters on the last axis.

    ``a_scale``, ``a_zero_point`` have one element or one for each row, (M, 1); ``b_scale``,
    ``b_zero_point`` one or N. ``bias`` is int32, in steps of ``alpha * a_scale * b_scale``;
    ``float_bias`` real. ``b_is_vector``: b was a row of K, and the result has no last axis. Without ``y_dtype`` the result is real. ``low`` and ``high`` are the bounds of the
    activation in output codes.
    """

    node: str
    op: str
    a_scale: Array
    a_zero_point: Array
    b: Array
    b_scale: Array
    b_zero_point: Array
    turn_a: bool = False
    b_is_vector: bool = False
    alpha: float = 1.0
    bias: Array | None = None
    float_bias: Array | None = None
    y_dtype: np.dtype[Any] | None = None
    y_scale: np.float32 = np.float32(1)  # noqa: RUF009 - a number
    y_zero_point: int = 0
    activation: str = ""
    low: int = 0
    high: int = 0

    @property
    def same_for_rows(self) -> bool:
        """Whether parameters are those of the tensor or of columns, so that rows can be parted."""
        given = (self.a_scale, self.a_zero_point, self.b_scale, self.b_zero_point, self.bias)
        return all(
            each is None or each.size == 1 or each.size == each.shape[-1] > 1 for each in given
        )

    @property
    def result(self) -> np.dtype[Any]:
        """The type of y."""
        integer = np.int32 if self.op == "MatMulInteger" else np.float32
        return self.y_dtype or np.dtype(integer)

    @property
    def depth(self) -> int:
        """K."""
        return int(self.b.shape[-2])

    @property
    def columns(self) -> int:
        """N."""
        return int(self.b.shape[-1])


def subtract_a(a: Array, p: MatMulParameters) -> Array:
    """``qa - az``, int16."""
    difference: Array = a.astype(np.int16)
    return difference - p.a_zero_point.astype(np.int16) if p.a_zero_point.any() else difference


def subtract_b(p: MatMulParameters) -> Array:
    """``qb - bz``, int16."""
    difference: Array = p.b.astype(np.int16)
    return difference - p.b_zero_point.astype(np.int16) if p.b_zero_point.any() else difference


def b_scales(p: MatMulParameters) -> Array:
    """One scale for all columns, or one for each."""
    return p.b_scale


def multiply(p: MatMulParameters, b: Array) -> Sums:
    """``acc = sum (qa - az)(qb - bz)``, wrapped to int32.

    Exact:
        Float32 sums of integers are exact in any order while every partial sum is below 2**24; K is
        cut where they could pass that, and the parts are added in int32, which wraps.
    """
    matrix = b.astype(np.float32)
    first, *others = exact_parts(matrix)

    def run(a: Array) -> Int32:
        rows = a.astype(np.float32)
        acc: Int32 = np.matmul(rows[..., first], matrix[..., first, :]).astype(np.int32)
        for part in others:
            acc += np.matmul(rows[..., part], matrix[..., part, :]).astype(np.int32)
        return acc

    return run


def weighted_sums(p: MatMulParameters, setting: Setting) -> Sums:
    """What b and its zero points fix of a product."""
    weights = setting.stage("matmul.weights", subtract_b)(p)
    return setting.stage("matmul.accumulate", multiply)(p, weights)


def add_bias(acc: Int32, bias: Array) -> Int32:
    """``acc + c`` in int32, which wraps."""
    total: Int32 = acc + bias
    return total


def clamp(codes: Array, p: MatMulParameters) -> Array:
    """The activation in the domain of codes: ``min(max(q, low), high)``, R04."""
    clamped: Array = np.minimum(np.maximum(codes, p.low), p.high)
    return clamped


def product(p: MatMulParameters, setting: Setting, sums: Sums | None = None) -> Product:
    """The kernel of one product, as a function of a's codes.

    ``sums`` are those that `weighted_sums` prepared where only a's parameters are new.

    Shapes:
        ``a`` (..., M, K), or (..., K, M) with ``turn_a`` -> (..., M, N).
    """
    prepared = weighted_sums(p, setting) if sums is None else sums
    scales = setting.stage("matmul.scales", b_scales)(p)
    finish: Product = _unchanged
    if p.op != "MatMulInteger":
        finish = (_to_codes if p.y_dtype else _to_reals)(p, scales, setting)

    def run(a: Array) -> Array:
        _require_depth(a, p)
        codes = np.swapaxes(a, -1, -2) if p.turn_a else a
        y = _evaluate(codes, p, prepared, finish, setting)
        return y[..., 0] if p.b_is_vector else y

    return run


def product_of_computed(p: MatMulParameters, setting: Setting) -> Product:
    """The kernel of weights that are computed: wide ones a slice of columns at a time.

    Slices start at multiples of 8, where every engine's blocks of columns do.
    """
    step = max(WIDE * p.columns // max(p.b.size, 1) // 8 * 8, 8)
    if p.b.size <= WIDE or p.columns <= step or not p.same_for_rows:
        return product(p, setting)

    def run(a: Array) -> Array:
        parts = (slice(start, start + step) for start in range(0, p.columns, step))
        return np.concatenate([product(_columns(p, each), setting)(a) for each in parts], -1)

    return run


WIDE = 1 << 20
"""Computed weights that are widened at a time."""


def _columns(p: MatMulParameters, part: slice) -> MatMulParameters:
    """The product with these columns of b only."""

    def cut(values: Array) -> Array:
        chosen: Array = values if values.size == 1 else values[..., part]
        return chosen

    return replace(
        p,
        b=p.b[..., part],
        b_scale=cut(p.b_scale),
        b_zero_point=cut(p.b_zero_point),
        bias=None if p.bias is None else cut(p.bias),
        float_bias=None if p.float_bias is None else cut(p.float_bias),
    )


def _evaluate(
    a: Array, p: MatMulParameters, sums: Sums, finish: Product, setting: Setting
) -> Array:
    """The product in blocks of rows, and of matrices; at once where rows have parameters."""
    center = setting.stage("matmul.center", subtract_a)

    def whole(codes: Array) -> Array:
        return finish(sums(center(codes, p)))

    if not p.same_for_rows:
        return whole(a)
    if p.b.ndim == 2:
        return by_rows(a, p.columns, p.result, whole)
    found = batches(a.shape, p.b.shape) if a.ndim > 1 else None
    if found is None:
        return whole(a)
    parts: list[int | slice] = list(found)
    y, rank = [], max(a.ndim, p.b.ndim)
    for each in parts:
        b = part_of(p.b, each, rank)
        q = p if b is p.b else replace(p, b=b)
        part_sums = sums if q is p else weighted_sums(q, setting)
        y.append(_evaluate(part_of(a, each, rank), q, part_sums, finish, setting))
    return joined(y, single=isinstance(parts[0], int))


def _unchanged(acc: Array) -> Array:
    return acc


def _require_depth(a: Array, p: MatMulParameters) -> None:
    depth = a.shape[-2 if p.turn_a else -1] if a.ndim > int(p.turn_a) else 0
    if depth != p.depth or not a.ndim:
        raise EngineError(
            f"{p.op} {p.node!r}: a of shape {a.shape} for {p.depth} rows of b ({p.columns} columns)"
        )


def _to_codes(p: MatMulParameters, scales: Array, setting: Setting) -> Product:
    """Sums to codes: rescale, round, saturate, activate."""
    profile, dtype = setting.profile, p.y_dtype
    rescaling = profile.matmul(
        Requantization(
            x_scale=p.a_scale,
            w_scale=scales,
            y_scale=p.y_scale,
            y_zero_point=p.y_zero_point,
            bias=p.bias,
            per_channel=scales.size > 1 or p.b_zero_point.size > 1,
            groups=1,
            in_per_group=p.depth,
            out_per_group=p.columns,
            y_signed=dtype == np.int8,
            alpha=p.alpha,
        )
    )
    rounding = setting.stage("matmul.round", setting.stages.round)
    clip = saturate if profile.saturate_first else convert_then_saturate
    activate = setting.stage("matmul.activate", clamp)
    bias, offset = rescaling.bias, rescaling.offset
    add = setting.stage("matmul.bias", add_bias)
    assert dtype is not None
    low, high = (each - offset for each in RANGES[dtype])

    def finish(acc: Array) -> Array:
        if bias is not None:
            acc = add(acc, bias)
        steps = clip(rounding(rescaling.steps(acc), offset), low, high)
        codes: Array = (steps + offset).astype(dtype)
        return activate(codes, p) if p.activation else codes

    return finish


def _to_reals(p: MatMulParameters, scales: Array, setting: Setting) -> Product:
    scale = setting.stage("matmul.to_reals", setting.profile.matmul_to_reals)
    alpha, bias = np.float32(p.alpha), p.bias
    add = setting.stage("matmul.bias", add_bias)

    def finish(acc: Array) -> Array:
        if bias is not None:
            acc = add(acc, bias)
        return scale(acc, p.a_scale, scales, alpha, p.float_bias)

    return finish
