"""Faults of the code that stands for padding."""

from functools import partial

import numpy as np

from engine.arithmetic import RANGES, Int32
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Accumulate, multiply_exactly

Pads = tuple[int, ...]

LANES = 8
TILES = 4
MARK = 1 << 12  # no code: which pixels are padding


def lowest_code(p: ConvParameters) -> int:
    """The lowest code, 0 in the unsigned domain, yet zx is folded over it."""
    return RANGES[p.x_dtype][0]


def code_zero(p: ConvParameters) -> int:
    """Code 0, which is real 0 only where zx is 0."""
    return 0


def modulo_256(p: ConvParameters) -> int:
    """``zx mod 256`` in int16: a negative zero point becomes another code."""
    return p.x_zero_point % 256


def marked(p: ConvParameters) -> int:
    """What tells padding from codes, where the last pixels are summed otherwise."""
    return MARK if _is_plane_by_plane(p) else p.x_zero_point


def tail_reads_lowest_code(p: ConvParameters, weights: Array) -> Accumulate:
    """The last few pixels of a depthwise output are summed as under F11; its border is `marked`.

    The plane is cut into tiles of ``ceil(ceil(pixels / 4) / 8) * 8`` pixels; only a last tile of
    fewer than 8 is meant. Measured on OpenCV 5.0.0.93 with one thread, planes of 1 to 289 pixels.
    """
    exact = multiply_exactly(p, weights)
    return partial(_sum_tail, p, exact) if _is_plane_by_plane(p) else exact


def tail_pixels(pixels: int) -> int:
    """How many pixels the last tile holds where it is too short for a vector, else 0."""
    share = -(-pixels // TILES)
    tile = max(1, -(-share // LANES)) * LANES
    left = pixels % tile
    return left if left < LANES else 0


def _is_plane_by_plane(p: ConvParameters) -> bool:
    return p.in_per_group == p.out_per_group == 1


def _sum_tail(
    p: ConvParameters, exact: Accumulate, padded: Array, zero_point: int, pads: Pads, out: Pads
) -> Int32:
    def read_as(border: int) -> Int32:
        return exact(np.where(padded == MARK, np.int16(border), padded), zero_point, pads, out)

    acc = read_as(p.x_zero_point)
    first = acc.shape[2] - tail_pixels(acc.shape[2])
    acc[:, :, first:] = read_as(lowest_code(p))[:, :, first:]
    return acc


FAULTS = (
    Fault(
        "F11",
        "padding taps read the lowest code while the zero point is folded over the full window",
        "apache/tvm#13364; opencv/opencv 5.x convolution tails",
        lambda p: p.may_pad and p.x_zero_point != lowest_code(p),
        {"border": lowest_code},
    ),
    Fault(
        "F11.tail",
        "padding taps of the last pixels of a depthwise convolution read the lowest code",
        "opencv/opencv 5.x conv2_int8_kernels.simd.hpp, the scalar tail of a plane",
        lambda p: _is_plane_by_plane(p) and p.may_pad and p.x_zero_point != lowest_code(p),
        {"border": marked, "accumulate": tail_reads_lowest_code},
    ),
    Fault(
        "F12",
        "padding holds code 0 instead of the zero point",
        "apache/tvm PR 4807",
        lambda p: p.may_pad and p.x_zero_point != 0,
        {"border": code_zero},
    ),
    Fault(
        "F13",
        "padding holds a negative zero point modulo 256",
        "google/XNNPACK PR 8647",
        lambda p: p.may_pad and p.x_zero_point < 0,
        {"border": modulo_256},
    ),
)
