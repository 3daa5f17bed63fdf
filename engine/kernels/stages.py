"""The stages of an integer convolution, each a pure function; a fault replaces one of them.

Loaded once: ``weights``, ``scales``, ``bias``, ``layout``, ``accumulate`` (prepares the sum),
``rescaling`` (prepares the steps). Run each time: pad with the ``border`` -> accumulate -> add the bias -> rescale -> round
-> to codes, which saturates -> activate -> store.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.arithmetic import RANGES, Int32, round_half_even, wrap_int32
from engine.ir import Array
from engine.kernels.geometry import Window, columns, flat_columns, pad_spatial, without_gaps
from engine.kernels.parameters import ConvParameters
from engine.profiles import (
    Prepare,
    Profile,
    Requantization,
    Rescaling,
    convert_then_saturate,
    saturate,
)

Clip = Callable[[Array, int, int], Array]
ToCodes = Callable[[Array], Array]
Accumulate = Callable[[Array, int, tuple[int, ...], tuple[int, ...]], Int32]
"""(padded codes (N, C, *S), their zero point, pads, output size) -> sums (N, M, pixels)."""


@dataclass(frozen=True, slots=True)
class Stages:
    """One function for each stage.

    ``weights`` (M, C/groups, *kernel) are the codes less their zero point; ``scales`` one value or
    M; ``bias`` M or none; ``rescaling`` prepares the profile's constants; ``layout`` says why the blocked kernel is not used, ``""`` where it is; ``border`` is the code
    that stands for padding; ``pad`` puts it around the image, and gives the
    padded codes (int16) and the zero point they are to be read with; ``store`` puts the 8 lanes of
    each task of the blocked kernel into the output; ``round`` takes the steps and the zero point
    that is added to them afterwards; ``to_codes`` adds it, and clips by ``saturate``.
    """

    weights: Callable[[ConvParameters], Array]
    scales: Callable[[ConvParameters], Array]
    bias: Callable[[ConvParameters], Array | None]
    rescaling: Callable[[Prepare, Requantization, ConvParameters], Rescaling]
    layout: Callable[[ConvParameters], str]
    border: Callable[[ConvParameters], int]
    pad: Callable[[Array, ConvParameters, tuple[int, ...], int], tuple[Array, int]]
    accumulate: Callable[[ConvParameters, Array], Accumulate]
    store: Callable[[Array, list[int], int], Array]
    round: Callable[[Array, int], Array]
    saturate: Clip
    to_codes: Callable[[ConvParameters, int, Clip], ToCodes]
    activate: Callable[[Array, ConvParameters], Array]


def correct_stages(profile: Profile) -> Stages:
    """The stages without any fault, in the arithmetic of a profile."""
    return Stages(
        weights=subtract_zero_points,
        scales=scales_as_given,
        bias=bias_as_given,
        rescaling=rescaling_of_profile,
        layout=why_not_blocked,
        border=zero_point_of,
        pad=pad_with_border,
        accumulate=multiply_exactly,
        store=store_in_order,
        round=to_nearest_even,
        saturate=saturate if profile.saturate_first else convert_then_saturate,
        to_codes=add_zero_point,
        activate=clamp,
    )


def to_nearest_even(steps: Array, zero_point: int) -> Array:
    """``rne(v)``: the zero point is added outside the rounding."""
    return round_half_even(steps)


def subtract_zero_points(p: ConvParameters) -> Array:
    """``w - zw``, int16, with the zero point of each output channel."""
    shape = (-1,) + (1,) * (p.w.ndim - 1)
    difference: Array = p.w.astype(np.int16) - p.w_zero_points.astype(np.int16).reshape(shape)
    return difference


def scales_as_given(p: ConvParameters) -> Array:
    """One scale for all output channels, or one for each."""
    return p.w_scales


def bias_as_given(p: ConvParameters) -> Array | None:
    """The int32 that each output channel adds to its sums."""
    return p.bias


def rescaling_of_profile(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """``v = (acc + b) * xs*ws/ys`` as the profile computes it; ``r`` is laid out like the sums."""
    return prepare(r)


def why_not_blocked(p: ConvParameters) -> str:
    """Guard G16 of R64: groups must start on a block of 8 lanes, and blocks must be filled.

    A group that starts inside a block would write lanes that belong to its neighbour; below 8
    channels most of each block would be padding, and the plain kernel is faster.
    """
    if p.groups > 1 and p.out_per_group % 8:
        return (
            f"M/groups = {p.out_per_group} is no multiple of 8, so groups would share blocks"
        )
    if p.in_channels < 8 or p.out_channels < 8:
        return f"C = {p.in_channels} and M = {p.out_channels} do not fill a block of 8"
    return ""


def zero_point_of(p: ConvParameters) -> int:
    """Real 0, which is the code ``zx``."""
    return p.x_zero_point


def pad_with_border(
    x: Array, p: ConvParameters, pads: tuple[int, ...], border: int
) -> tuple[Array, int]:
    """The code ``border`` around the image."""
    return pad_with(x, pads, border), p.x_zero_point


def pad_with(x: Array, pads: tuple[int, ...], code: int) -> Array:
    """``x`` widened to int16, C-contiguous, with a border of ``code``."""
    if any(pads):
        return pad_spatial(x, pads, code, np.int16)
    return x.astype(np.int16, order="C")


def multiply_exactly(p: ConvParameters, weights: Array) -> Accumulate:
    """``acc = sum (x - zx)(w - zw)`` over channels and taps, wrapped to int32, eq. (4).

    Exact:
        Every partial sum is an integer below ``max|x - zx| * sum|w - zw|``; below 2**24 float32
        matrix products are exact in any order, below 2**53 float64 ones are.
    """
    matrix = weights.reshape(p.groups, p.out_per_group, math.prod(weights.shape[1:]))
    bound = largest_sum(weights)
    dtype = np.float32 if bound < 2**24 else np.float64
    return partial(_multiply, matrix.astype(dtype), p.window, p.out_channels, bound >= 2**31)


def largest_sum(weights: Array) -> int:
    """A bound on every partial sum with codes below 256: ``255 * max over M of sum|w - zw|``."""
    crude = 255 * 255 * math.prod(weights.shape[1:])
    if crude < 2**24:
        return crude
    return 255 * int(
        np.abs(weights).reshape(len(weights), -1).sum(axis=1, dtype=np.int64).max()
    )


def _multiply(
    matrix: Array,
    window: Window,
    channels: int,
    wraps: bool,
    padded: Array,
    zero_point: int,
    pads: tuple[int, ...],
    out: tuple[int, ...],
) -> Int32:
    groups, rows, depth = matrix.shape
    pixels, inner = math.prod(out), padded.shape[1] // groups
    step = max(1, COLUMNS // max(len(padded) * depth * pixels, 1))
    if step >= groups:
        acc = _sums(matrix, padded, window, wraps, zero_point, out)
        return acc.reshape(len(padded), channels, pixels)
    acc = np.empty((len(padded), groups, rows, pixels), np.int32)
    for first in range(0, groups, step):
        part = slice(first, first + step)
        some = padded[:, first * inner : (first + step) * inner]
        acc[:, part] = _sums(matrix[part], some, window, wraps, zero_point, out)
    return acc.reshape(len(padded), channels, pixels)


COLUMNS = 1 << 18
"""Elements of the columns that are multiplied at once: 1 MiB of float32."""


WIDE = 8
"""From so many output channels of a group on, sums of pixels that are no output cost more than they save."""


def _sums(
    matrix: Array,
    padded: Array,
    window: Window,
    wraps: bool,
    zero_point: int,
    out: tuple[int, ...],
) -> Int32:
    """The sums of some groups, (N, groups, M/groups, pixels)."""
    centred = padded.astype(matrix.dtype, order="C")
    if zero_point:
        centred -= zero_point
    if matrix.shape[1] < WIDE and max(window.strides) == 1 and 0 not in (*centred.shape, *out):
        sums = np.matmul(matrix, flat_columns(centred, window, out, len(matrix)))
        sums = without_gaps(sums, centred, out)
    else:
        sums = np.matmul(matrix, columns(centred, window, out, len(matrix)))
    codes = wrap_int32(sums) if wraps else sums.astype(np.int32, order="C")
    return codes.reshape(*sums.shape[:3], math.prod(out))


LANES = 8
"""Channels of a block."""


def store_in_order(codes: Array, base: list[int], channels: int) -> Array:
    """Each task's 8 lanes into the block of its first channel; later tasks overwrite.

    Shapes:
        ``codes`` (N, tasks, 8, pixels) -> (N, channels, pixels).
    """
    if base == list(range(0, channels, LANES)) and channels % LANES == 0:
        # each task fills a block of its own
        return codes.reshape(len(codes), channels, codes.shape[3])
    blocks = -(-channels // LANES)
    out = np.zeros((len(codes), blocks, LANES, codes.shape[3]), codes.dtype)
    for task, channel in enumerate(base):
        out[:, channel // LANES] = codes[:, task]
    return out.reshape(len(codes), blocks * LANES, codes.shape[3])[:, :channels]


def add_zero_point(p: ConvParameters, offset: int, clip: Clip) -> ToCodes:
    """``sat(v + offset)`` of rounded steps; ``offset`` is the part of yz that they lack."""
    bottom, top = RANGES[p.y_dtype]
    low, high, dtype = bottom - offset, top - offset, p.y_dtype

    def to_codes(whole: Array) -> Array:
        steps = clip(whole, low, high)
        if offset:
            steps += offset
        return steps.astype(dtype)

    return to_codes


def clamp(codes: Array, p: ConvParameters) -> Array:
    """The activation in the domain of codes: ``min(max(q, low), high)``, R04."""
    clamped: Array = np.minimum(np.maximum(codes, p.low), p.high)
    return clamped
