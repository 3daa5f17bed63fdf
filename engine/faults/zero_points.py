"""Faults of the zero points of x and of its type: not subtracted, half corrected, read as another."""

from functools import partial

import numpy as np

from engine.arithmetic import Int32
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import (
    Accumulate,
    multiply_exactly,
    pad_with,
    pad_with_border,
    subtract_zero_points,
)

_INT8, _UINT8 = np.dtype(np.int8), np.dtype(np.uint8)
Sizes = tuple[int, ...]


def pad_without_zero_point(
    x: Array, p: ConvParameters, pads: Sizes, border: int
) -> tuple[Array, int]:
    """Codes taken for steps: ``acc = sum x*(w - zw)``, the border contributes nothing."""
    return pad_with(x, pads, 0), 0


def pad_then_forget_zero_point(
    x: Array, p: ConvParameters, pads: Sizes, border: int
) -> tuple[Array, int]:
    """As above, but the border was filled with the zero point before it was forgotten."""
    return pad_with(x, pads, border), 0


def pad_wrapped_differences(
    x: Array, p: ConvParameters, pads: Sizes, border: int
) -> tuple[Array, int]:
    """``x - zx`` of int8 codes in 8 bits, which wrap; the border is 0."""
    padded, zero_point = pad_with_border(x, p, pads, border)
    if p.x_dtype != _INT8:
        return padded, zero_point
    return (padded - np.int16(zero_point) + 128) % 256 - 128, 0


def pad_unsigned_as_signed(
    x: Array, p: ConvParameters, pads: Sizes, border: int
) -> tuple[Array, int]:
    """``x - 256`` from 128 on, less the zero point as given, of uint8 codes, the border too."""
    padded, zero_point = pad_with_border(x, p, pads, border)
    if p.x_dtype != _UINT8:
        return padded, zero_point
    return padded - np.where(padded > 127, np.int16(256), np.int16(0)), zero_point


def keep_weight_codes(p: ConvParameters) -> Array:
    """``w`` for ``w - zw``."""
    return p.w.astype(np.int16)


def without_cross_term(p: ConvParameters, weights: Array) -> Accumulate:
    """``sum x*w - zx*sum w - zw*sum x``, without ``+ n*zx*zw`` for the n products of a sum."""
    products = int(p.w[0].size) * p.x_zero_point
    return partial(_add, multiply_exactly(p, weights), -products * _column(p.w_zero_points))


def shifted_by_128(p: ConvParameters, weights: Array) -> Accumulate:
    """int8 codes moved to uint8, and ``128 * sum (w - zw)`` not taken back."""
    exact = multiply_exactly(p, weights)
    if p.x_dtype != _INT8:
        return exact
    return partial(_add, exact, 128 * _column(_sums(weights)))


def _add(
    exact: Accumulate, extra: Array, padded: Array, zero_point: int, pads: Sizes, out: Sizes
) -> Int32:
    acc: Int32 = exact(padded, zero_point, pads, out) + extra
    return acc


def _column(values: Array) -> Array:
    return values.astype(np.int32).reshape(-1, 1)


def _sums(weights: Array) -> Array:
    total: Array = weights.reshape(len(weights), -1).sum(axis=1, dtype=np.int32)
    return total


FAULTS = (
    Fault(
        "F25",
        "the zero point of x is not subtracted",
        "kernels that take codes for steps",
        lambda p: p.x_zero_point != 0,
        {"pad": pad_without_zero_point},
    ),
    Fault(
        "F25.border",
        "the zero point of x is not subtracted, and the border holds it",
        "kernels that take codes for steps after padding",
        lambda p: p.x_zero_point != 0,
        {"pad": pad_then_forget_zero_point},
    ),
    Fault(
        "F26",
        "the zero point of w is ignored",
        "opencv/opencv 5.x graph_fusion_qdq.cpp guards against it",
        lambda p: bool(p.w_zero_points.any()),
        {"weights": keep_weight_codes},
    ),
    Fault(
        "F27",
        "the number of products times both zero points is missing from the sums of a convolution",
        "google/gemmlowp doc/quantization.md spells out the four terms",
        lambda p: p.x_zero_point != 0 and bool(p.w_zero_points.any()),
        {"accumulate": without_cross_term},
    ),
    Fault(
        "F30",
        "int8 codes of x are moved by 128, the sums are not moved back",
        "ikawrakow/ik_llama.cpp PR 2233; kernels for uint8 by int8",
        lambda p: p.x_dtype == _INT8 and bool(_sums(subtract_zero_points(p)).any()),
        {"accumulate": shifted_by_128},
    ),
    Fault(
        "F31",
        "the zero point of x is subtracted in 8 bits",
        "pytorch/executorch PR 20655",
        lambda p: p.x_dtype == _INT8 and p.x_zero_point != 0,
        {"pad": pad_wrapped_differences},
    ),
    Fault(
        "F35",
        "a uint8 x is read as int8",
        "kernels for signed codes only",
        lambda p: p.x_dtype == _UINT8,
        {"pad": pad_unsigned_as_signed},
    ),
)
