"""Faults of matrix products: those of zero points, scales and types, as convolutions have them."""

from collections.abc import Callable

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.matmul_stages import MatMulParameters, subtract_b


def keep_a_codes(a: Array, p: MatMulParameters) -> Array:
    """``qa`` for ``qa - az``."""
    codes: Array = a.astype(np.int16)
    return codes


def keep_b_codes(p: MatMulParameters) -> Array:
    """``qb`` for ``qb - bz``."""
    codes: Array = p.b.astype(np.int16)
    return codes


def first_zero_point(p: MatMulParameters) -> Array:
    """``qb - bz[0]``."""
    difference: Array = p.b.astype(np.int16) - p.b_zero_point.reshape(-1)[:1].astype(np.int16)
    return difference


def signed_as_unsigned(p: MatMulParameters) -> Array:
    """``qb mod 256`` with zero point 0, of int8 weights."""
    return (p.b.astype(np.int16) & 255) if p.b.dtype == np.int8 else subtract_b(p)


def unsigned_as_signed(p: MatMulParameters) -> Array:
    """``qb - 256`` from 128 on, less the zero point as given, of uint8 weights."""
    if p.b.dtype != np.uint8:
        return subtract_b(p)
    difference: Array = subtract_b(p) - np.where(p.b > 127, np.int16(256), np.int16(0))
    return difference


def first_scale(p: MatMulParameters) -> Array:
    """The scale of column 0 for all columns."""
    first: Array = p.b_scale[..., :1] if p.b_scale.ndim else p.b_scale
    return first


def scale_of_column_before(p: MatMulParameters) -> Array:
    """Column n reads the scale of column ``n - 1``, the first one that of the last."""
    before: Array = np.roll(p.b_scale, 1, axis=-1) if p.b_scale.ndim else p.b_scale
    return before


def _changes(
    weights: Callable[[MatMulParameters], Array],
) -> Callable[[MatMulParameters], bool]:
    return lambda p: bool((weights(p) != subtract_b(p)).any())


def _rescales(
    scales: Callable[[MatMulParameters], Array],
) -> Callable[[MatMulParameters], bool]:
    return lambda p: p.op != "MatMulInteger" and bool((scales(p) != p.b_scale).any())


FAULTS = (
    Fault(
        "F25.matmul",
        "the zero point of a is not subtracted",
        "kernels that take codes for steps",
        lambda p: bool(p.a_zero_point.any()),
        {"matmul.center": keep_a_codes},
        record=MatMulParameters,
    ),
    Fault(
        "F26.matmul",
        "the zero point of b is ignored",
        "kernels for symmetric weights only",
        _changes(keep_b_codes),
        {"matmul.weights": keep_b_codes},
        record=MatMulParameters,
    ),
    Fault(
        "F29.matmul",
        "the zero point of column 0 of b is used for every column",
        "per-channel zero points on a per-tensor path",
        _changes(first_zero_point),
        {"matmul.weights": first_zero_point},
        record=MatMulParameters,
    ),
    Fault(
        "F33.matmul",
        "an int8 b is read as uint8 with zero point 0",
        "Caffe2's int8 operators",
        _changes(signed_as_unsigned),
        {"matmul.weights": signed_as_unsigned},
        record=MatMulParameters,
    ),
    Fault(
        "F34.matmul",
        "a uint8 b is read as int8",
        "kernels for signed weights only",
        _changes(unsigned_as_signed),
        {"matmul.weights": unsigned_as_signed},
        record=MatMulParameters,
    ),
    Fault(
        "F50.matmul",
        "the scale of column 0 is used for every column",
        "per-channel weights on a per-tensor path",
        _rescales(first_scale),
        {"matmul.scales": first_scale},
        record=MatMulParameters,
    ),
    Fault(
        "F52.matmul",
        "each column reads the scale of the column before it",
        "an index that is shifted by one",
        _rescales(scale_of_column_before),
        {"matmul.scales": scale_of_column_before},
        record=MatMulParameters,
    ),
)
