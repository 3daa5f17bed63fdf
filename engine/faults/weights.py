"""Faults of weights: read as another type, from another place, less another zero point."""

from collections.abc import Callable

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.geometry import columns
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Accumulate, multiply_exactly, subtract_zero_points

Weights = Callable[[ConvParameters], Array]


def transpose_kernel(p: ConvParameters) -> Array:
    """``w[..., j, i]`` for ``w[..., i, j]``, where the kernel is square."""
    w = subtract_zero_points(p)
    if len(p.kernel) < 2 or p.kernel[-1] != p.kernel[-2]:
        return w
    return np.ascontiguousarray(w.swapaxes(-1, -2))


def zero_point_by_input_channel(p: ConvParameters) -> Array:
    """``w[k, c] - zw[c]`` for ``w[k, c] - zw[k]``, where the lengths let it pass."""
    zero_points = p.w_zero_points.astype(np.int16)
    if zero_points.size != p.in_per_group:
        return subtract_zero_points(p)
    difference: Array = p.w.astype(np.int16) - zero_points.reshape(-1, *(1 for _ in p.kernel))
    return difference


def first_zero_point(p: ConvParameters) -> Array:
    """``w[k] - zw[0]``."""
    difference: Array = p.w.astype(np.int16) - np.int16(p.w_zero_points[0])
    return difference


def signed_as_unsigned(p: ConvParameters) -> Array:
    """``w mod 256`` with zero point 0, of int8 weights."""
    if p.w.dtype != np.int8:
        return subtract_zero_points(p)
    return p.w.view(np.uint8).astype(np.int16)


def unsigned_as_signed(p: ConvParameters) -> Array:
    """``w - 256`` from 128 on, less the zero point as given, of uint8 weights."""
    if p.w.dtype != np.uint8:
        return subtract_zero_points(p)
    wrapped = np.where(p.w > 127, np.int16(256), np.int16(0))
    difference: Array = subtract_zero_points(p) - wrapped
    return difference


def halved(p: ConvParameters) -> Array:
    """``2 rne(w/2)``: int8 weights times 0.5 as int8, the sums doubled; for int8 x without zero points.

    Matrix products, which dense 1x1 convolutions without pads are, have another kernel.
    """
    w = subtract_zero_points(p)
    signed = p.x_dtype == p.w.dtype == np.int8
    is_product = p.groups == 1 and set(p.kernel) == {1} and not any(p.pads)
    if not signed or p.x_zero_point or p.w_zero_points.any() or is_product:
        return w
    even: Array = (2 * np.rint(w / 2)).astype(w.dtype)
    return even


def wrapped_difference(p: ConvParameters) -> Array:
    """``w - zw`` modulo 256 in the type of w."""
    difference = subtract_zero_points(p)
    own: Array = difference.astype(p.w.dtype).astype(difference.dtype)
    return own


def scales_of_inputs(p: ConvParameters) -> Array:
    """``(w[k, c] - zw[c]) ws[c]/ws[k]``, where the lengths let it pass; the sums are those of reals.

    Behind them ``ws[k]`` is multiplied as usual, and biases are right.
    """
    one_each = p.w_scales.size == p.in_per_group > 1
    if not one_each:
        return subtract_zero_points(p)
    spread = (-1, *(1 for _ in p.kernel))
    zero_points, scales = p.w_zero_points.astype(np.float64), p.w_scales.astype(np.float64)
    if zero_points.size > 1:
        zero_points = zero_points.reshape(spread)
    difference: Array = (p.w - zero_points) * scales.reshape(spread)
    difference /= scales.reshape(-1, *(1 for _ in p.w.shape[1:]))
    return difference


def sum_reals(p: ConvParameters, weights: Array) -> Accumulate:
    """The accumulate stage with weights that are no integers."""
    if weights.dtype != np.float64:
        return multiply_exactly(p, weights)
    matrix = weights.reshape(p.groups, p.out_per_group, -1)

    def accumulate(
        padded: Array, zero_point: int, pads: tuple[int, ...], out: tuple[int, ...]
    ) -> Array:
        taps = columns(padded.astype(np.float64) - zero_point, p.window, out, p.groups)
        sums: Array = np.matmul(matrix, taps)
        return sums.reshape(len(padded), p.out_channels, -1)

    return accumulate


def _changes(weights: Weights) -> Callable[[ConvParameters], bool]:
    """Whether a replacement gives other weights than the correct stage."""
    return lambda p: bool((weights(p) != subtract_zero_points(p)).any())


FAULTS = (
    Fault(
        "F19",
        "the kernel is transposed",
        "weights laid out for the other order of height and width",
        _changes(transpose_kernel),
        {"weights": transpose_kernel},
    ),
    Fault(
        "F28",
        "the zero points of w are indexed by input channel",
        "per-channel zero points broadcast along the wrong axis",
        _changes(zero_point_by_input_channel),
        {"weights": zero_point_by_input_channel},
    ),
    Fault(
        "F29",
        "the zero point of channel 0 of w is used for every channel",
        "per-channel zero points on a per-tensor path",
        _changes(first_zero_point),
        {"weights": first_zero_point},
    ),
    Fault(
        "F140",
        "int8 weights are halved and rounded, and the sums doubled: their lowest bit is lost",
        "oneDNN without VNNI, for signed x: its documented scale of 0.5, as openvinotoolkit/openvino leaves it",
        _changes(halved),
        {"weights": halved},
    ),
    Fault(
        "F146",
        "the zero points of w are subtracted in 8 bits",
        "openvinotoolkit/openvino: weights of a ConvTranspose, measured",
        _changes(wrapped_difference),
        {"weights": wrapped_difference},
    ),
    Fault(
        "F141",
        "the scales and zero points of w are those of its input channels",
        "openvinotoolkit/openvino: the ONNX front end's QLinearConv dequantizes w along axis 1, measured",
        _changes(scales_of_inputs),
        {"weights": scales_of_inputs, "accumulate": sum_reals},
    ),
    Fault(
        "F33",
        "int8 weights are read as uint8 with zero point 0",
        "Caffe2's int8 operators",
        _changes(signed_as_unsigned),
        {"weights": signed_as_unsigned},
    ),
    Fault(
        "F34",
        "uint8 weights are read as int8",
        "kernels for signed weights only",
        _changes(unsigned_as_signed),
        {"weights": unsigned_as_signed},
    ),
)
