"""Products of matrices of codes: the kernel that the stages of one make.

With a = as(qa - az) and b = bs(qb - bz) the real product is ``alpha * as * bs * acc``,
``acc = sum (qa - az)(qb - bz) + c``, an exact integer kept in int32; like eq. (3) to (5).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.errors import EngineError
from engine.ir import Array
from engine.kernels.matmul_blocks import batches, by_rows, joined, part_of
from engine.kernels.matmul_stages import (
    MatMulParameters,
    Sums,
    add_bias,
    as_given,
    b_scales,
    clamp,
    multiply,
    reals_of_sums,
    rows_of_a,
    steps_of_sums,
    store,
    subtract_a,
    subtract_b,
)
from engine.kernels.operator import Setting
from engine.kernels.stages import to_nearest_even
from engine.profiles import Requantization, convert_then_saturate, saturate

Product = Callable[[Array], Array]


def weighted_sums(p: MatMulParameters, setting: Setting) -> Sums:
    """What b and its zero points fix of a product."""
    weights = setting.stage("matmul.weights", subtract_b)(p)
    return setting.stage("matmul.accumulate", multiply)(p, weights)


def product(p: MatMulParameters, setting: Setting, sums: Sums | None = None) -> Product:
    """The kernel of one product, as a function of a's codes.

    ``sums`` are those that `weighted_sums` prepared where only a's parameters are new.

    Shapes:
        ``a`` (..., M, K), or (..., K, M) with ``turn_a`` -> (..., M, N).
    """
    prepared = weighted_sums(p, setting) if sums is None else sums
    scales = setting.stage("matmul.scales", b_scales)(p)
    rows = setting.stage("matmul.rows", rows_of_a)
    finish: Product = _unchanged
    if p.op != "MatMulInteger":
        finish = (_to_codes if p.y_dtype else _to_reals)(p, scales, setting)

    def run(a: Array) -> Array:
        _require_depth(a, p)
        y = _evaluate(rows(a, p), p, prepared, finish, setting)
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
    profile = setting.profile
    given = setting.stage("matmul.requantization", as_given)(_requantization(p, scales), p)
    rescaling = profile.matmul(given)
    steps = setting.stage("matmul.rescale", steps_of_sums)(rescaling.steps, p)
    rounding = setting.stage("matmul.round", to_nearest_even)
    clip = saturate if profile.saturate_first else convert_then_saturate
    keep = setting.stage("matmul.store", store)
    activate = setting.stage("matmul.activate", clamp)
    bias, offset = rescaling.bias, rescaling.offset
    add = setting.stage("matmul.bias", add_bias)

    def finish(acc: Array) -> Array:
        if bias is not None:
            acc = add(acc, bias)
        codes = keep(rounding(steps(acc), offset), p, offset, clip)
        return activate(codes, p) if p.activation else codes

    return finish


def _requantization(p: MatMulParameters, scales: Array) -> Requantization:
    return Requantization(
        x_scale=p.a_scale,
        w_scale=scales,
        y_scale=p.y_scale,
        y_zero_point=p.y_zero_point,
        bias=p.bias,
        per_channel=scales.size > 1 or p.b_zero_point.size > 1,
        groups=1,
        in_per_group=p.depth,
        out_per_group=p.columns,
        y_signed=p.y_dtype == np.int8,
        alpha=p.alpha,
    )


def _to_reals(p: MatMulParameters, scales: Array, setting: Setting) -> Product:
    scale = setting.stage("matmul.to_reals", reals_of_sums)(setting.profile.matmul_to_reals, p)
    alpha, bias = np.float32(p.alpha), p.bias
    add = setting.stage("matmul.bias", add_bias)

    def finish(acc: Array) -> Array:
        if bias is not None:
            acc = add(acc, bias)
        return scale(acc, p.a_scale, scales, alpha, p.float_bias)

    return finish
