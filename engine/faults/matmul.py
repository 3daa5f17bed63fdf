"""Faults of matrix products before the result: zero points, types, scales and order of operands."""

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.arithmetic import Int32
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.matmul_stages import (
    MatMulParameters,
    Sums,
    multiply,
    rows_of_a,
    subtract_a,
    subtract_b,
)

Weights = Callable[[MatMulParameters], Array]
_INT8, _UINT8 = np.dtype(np.int8), np.dtype(np.uint8)


def keep_a_codes(a: Array, p: MatMulParameters) -> Array:
    """``qa`` for ``qa - az``."""
    codes: Array = a.astype(np.int16)
    return codes


def wrapped_difference(a: Array, p: MatMulParameters) -> Array:
    """``qa - az`` of int8 codes in 8 bits, which wrap."""
    difference = subtract_a(a, p)
    if a.dtype != np.int8:
        return difference
    codes: Array = (difference + 128) % 256 - 128
    return codes


def unsigned_a_as_signed(a: Array, p: MatMulParameters) -> Array:
    """``qa - 256`` from 128 on, less the zero point as given, of uint8 codes."""
    difference = subtract_a(a, p)
    if a.dtype != np.uint8:
        return difference
    codes: Array = difference - np.where(a > 127, np.int16(256), np.int16(0))
    return codes


def keep_b_codes(p: MatMulParameters) -> Array:
    """``qb`` for ``qb - bz``."""
    codes: Array = p.b.astype(np.int16)
    return codes


def first_zero_point(p: MatMulParameters) -> Array:
    """``qb - bz[0]``."""
    difference: Array = p.b.astype(np.int16) - p.b_zero_point.reshape(-1)[:1].astype(np.int16)
    return difference


def zero_point_by_row(p: MatMulParameters) -> Array:
    """``qb[k, n] - bz[k]`` for ``qb[k, n] - bz[n]``, where K = N lets it pass."""
    zeros = p.b_zero_point.astype(np.int16)
    if zeros.size != p.depth or zeros.ndim != 1:
        return subtract_b(p)
    difference: Array = p.b.astype(np.int16) - zeros[:, None]
    return difference


def signed_as_unsigned(p: MatMulParameters) -> Array:
    """``qb mod 256`` of int8 weights whose zero point is 0."""
    signed = p.b.dtype == np.int8 and not p.b_zero_point.any()
    return (p.b.astype(np.int16) & 255) if signed else subtract_b(p)


def unsigned_as_signed(p: MatMulParameters) -> Array:
    """``qb - 256`` from 128 on, less the zero point as given, of uint8 weights."""
    if p.b.dtype != np.uint8:
        return subtract_b(p)
    difference: Array = subtract_b(p) - np.where(p.b > 127, np.int16(256), np.int16(0))
    return difference


def not_turned(p: MatMulParameters) -> Array:
    """B as stored, where ``transB`` asks for its transpose and a square lets it pass."""
    if not p.b_turned or p.b.shape[-1] != p.b.shape[-2]:
        return subtract_b(p)
    difference: Array = p.b.swapaxes(-1, -2).astype(np.int16) - p.b_zero_point.astype(np.int16)
    return difference


def first_scale(p: MatMulParameters) -> Array:
    """The scale of column 0 for all columns."""
    first: Array = p.b_scale[..., :1] if p.b_scale.ndim else p.b_scale
    return first


def scale_of_column_before(p: MatMulParameters) -> Array:
    """Column n reads the scale of column ``n - 1``, the first one that of the last."""
    before: Array = np.roll(p.b_scale, 1, axis=-1) if p.b_scale.ndim else p.b_scale
    return before


def without_cross_term(p: MatMulParameters, b: Array) -> Sums:
    """``sum qa*qb - az*sum qb - bz*sum qa``, without ``+ K*az*bz``."""
    sums = multiply(p, b)
    cross = p.depth * p.a_zero_point.astype(np.int32) * p.b_zero_point.astype(np.int32)

    def run(a: Array) -> Int32:
        acc: Int32 = sums(a) - cross
        return acc

    return run


def shifted_by_128(p: MatMulParameters, b: Array) -> Sums:
    """int8 codes of a moved to uint8, and ``128 * sum (qb - bz)`` not taken back."""
    sums = multiply(p, b)
    if p.a_dtype != _INT8:
        return sums
    extra = 128 * b.sum(axis=-2, keepdims=True, dtype=np.int32)

    def run(a: Array) -> Int32:
        acc: Int32 = sums(a) + (extra if a.ndim > 1 else extra[..., 0, :])
        return acc

    return run


def rows_by_rank(a: Array, p: MatMulParameters) -> Array:
    """From rank 3 on K is taken from axis -2, where a square lets it pass."""
    rows = rows_of_a(a, p)
    square = rows.ndim > 2 and rows.shape[-1] == rows.shape[-2]
    return rows.swapaxes(-1, -2) if square else rows


def _is_square_of_rank_3(p: MatMulParameters) -> bool:
    shape = p.a_shape
    return shape is None or (len(shape) > 2 and shape[-1] == shape[-2] > 1)


def _changes(weights: Weights) -> Callable[[MatMulParameters], bool]:
    return lambda p: bool((weights(p) != subtract_b(p)).any())


def _rescales(scales: Weights) -> Callable[[MatMulParameters], bool]:
    return lambda p: p.op != "MatMulInteger" and bool((scales(p) != p.b_scale).any())


def _fault(
    key: str,
    title: str,
    source: str,
    trigger: Callable[[MatMulParameters], bool],
    stage: str,
    replacement: Callable[..., Any],
) -> Fault:
    stages = {f"matmul.{stage}": replacement}
    return Fault(key, title, source, trigger, stages, record=MatMulParameters)


def _weights_fault(key: str, title: str, source: str, weights: Weights) -> Fault:
    return _fault(key, title, source, _changes(weights), "weights", weights)


FAULTS = (
    _fault(
        "F25.matmul",
        "the zero point of a is not subtracted",
        "kernels that take codes for steps",
        lambda p: bool(p.a_zero_point.any()),
        "center",
        keep_a_codes,
    ),
    _weights_fault(
        "F26.matmul",
        "the zero point of b is ignored",
        "kernels for symmetric weights only",
        keep_b_codes,
    ),
    _fault(
        "F27.matmul",
        "K times the product of both zero points of a product is missing",
        "google/gemmlowp doc/quantization.md spells out the four terms",
        lambda p: bool(p.a_zero_point.any() and p.b_zero_point.any()),
        "accumulate",
        without_cross_term,
    ),
    _weights_fault(
        "F29.matmul",
        "the zero point of column 0 of b is used for every column",
        "per-channel zero points on a per-tensor path",
        first_zero_point,
    ),
    _weights_fault(
        "F28.matmul",
        "the zero points of the columns of b are used for its rows",
        "per-channel zero points broadcast along the wrong axis",
        zero_point_by_row,
    ),
    _fault(
        "F30.matmul",
        "int8 codes of a are moved by 128, the sums are not moved back",
        "ikawrakow/ik_llama.cpp PR 2233; kernels for uint8 by int8",
        lambda p: p.a_dtype == _INT8 and bool(subtract_b(p).sum(axis=-2).any()),
        "accumulate",
        shifted_by_128,
    ),
    _fault(
        "F31.matmul",
        "the zero point of a is subtracted in 8 bits",
        "pytorch/executorch PR 20655",
        lambda p: p.a_dtype in (None, _INT8) and bool(p.a_zero_point.any()),
        "center",
        wrapped_difference,
    ),
    _weights_fault(
        "F33.matmul",
        "an int8 b is read as uint8 with zero point 0",
        "Caffe2's int8 operators",
        signed_as_unsigned,
    ),
    _weights_fault(
        "F34.matmul",
        "a uint8 b is read as int8",
        "kernels for signed weights only",
        unsigned_as_signed,
    ),
    _fault(
        "F35.matmul",
        "a uint8 a is read as int8",
        "kernels for signed codes only",
        lambda p: p.a_dtype in (None, _UINT8) and bool(subtract_b(p).any()),
        "center",
        unsigned_a_as_signed,
    ),
    _fault(
        "F50.matmul",
        "the scale of column 0 is used for every column",
        "per-channel weights on a per-tensor path",
        _rescales(first_scale),
        "scales",
        first_scale,
    ),
    _fault(
        "F52.matmul",
        "each column reads the scale of the column before it",
        "an index that is shifted by one",
        _rescales(scale_of_column_before),
        "scales",
        scale_of_column_before,
    ),
    _weights_fault(
        "F116",
        "weights are not transposed although transB says so",
        "weights laid out for the other order of rows and columns",
        not_turned,
    ),
    _fault(
        "F123",
        "a product of rank 3 or more takes K from axis -2",
        "opencv/opencv 5.x finds the axis of MatMul by rank",
        _is_square_of_rank_3,
        "rows",
        rows_by_rank,
    ),
    Fault(
        "F58.matmul",
        "scales of the rows of a square b are used for its columns",
        "microsoft/onnxruntime#21712; opencv/opencv 5.x compares lengths only",
        guards_off=("G9/columns",),
    ),
)
