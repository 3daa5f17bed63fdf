"""Faults of the border."""

from functools import partial

import numpy as np

from engine.arithmetic import RANGES, Int32
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.geometry import pad_spatial
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import (
    Accumulate,
    multiply_exactly,
    pad_with,
    pad_with_zero_point,
)

Pads = tuple[int, ...]

LANES = 8
TILES = 4


def pad_with_lowest_code(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """The border reads the lowest code, 0 in the unsigned domain, yet zx is folded over it."""
    return pad_with(x, pads, RANGES[p.x_dtype][0]), p.x_zero_point


def pad_with_code_zero(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """The border reads code 0, which is real 0 only where zx is 0."""
    return pad_with(x, pads, 0), p.x_zero_point


def pad_swapped(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """The begin pads at the end, the end pads at the beginning."""
    half = len(pads) // 2
    return pad_with_zero_point(x, p, pads[half:] + pads[:half])


def pad_same_by_kernel(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """auto_pad SAME begins ``(kernel - 1) // 2`` before the image, on either side of UPPER and LOWER.

    The border goes on at the end as far as the windows reach.
    """
    if not p.auto_pad.startswith("SAME"):
        return pad_with_zero_point(x, p, pads)
    half = len(pads) // 2
    begins = [(size - 1) // 2 for size in p.kernel]
    ends = [pads[i] + pads[half + i] - begins[i] for i in range(half)]
    padded = pad_with(x, (*begins, *(max(end, 0) for end in ends)), p.x_zero_point)
    inside = tuple(slice(None, min(end, 0) or None) for end in ends)
    return np.ascontiguousarray(padded[:, :, *inside]), p.x_zero_point


def tail_reads_lowest_code(p: ConvParameters, weights: Array) -> Accumulate:
    """The last few pixels of a depthwise output are summed as under F11.

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
    acc = exact(padded, zero_point, pads, out)
    first = acc.shape[2] - tail_pixels(acc.shape[2])
    half = len(pads) // 2
    inside = tuple(
        slice(a, s - b)
        for a, b, s in zip(pads[:half], pads[half:], padded.shape[2:], strict=True)
    )
    lowest = pad_spatial(padded[:, :, *inside], pads, RANGES[p.x_dtype][0])
    acc[:, :, first:] = exact(lowest, zero_point, pads, out)[:, :, first:]
    return acc


def _asymmetric(p: ConvParameters) -> bool:
    if p.auto_pad.startswith("SAME"):
        return p.may_pad
    half = len(p.pads) // 2
    return p.auto_pad != "VALID" and p.pads[:half] != p.pads[half:]


def _other_same_pads(p: ConvParameters) -> bool:
    """Whether SAME, for some image, begins elsewhere than at ``(kernel - 1) // 2``."""
    if not p.auto_pad.startswith("SAME"):
        return False
    lower = p.auto_pad == "SAME_LOWER"
    return any(
        k > 1 and (s > 1 or d > 1 or (lower and k % 2 == 0))
        for k, s, d in zip(p.kernel, p.strides, p.dilations, strict=True)
    )


FAULTS = (
    Fault(
        "F11",
        "padding taps read the lowest code while the zero point is folded over the full window",
        "apache/tvm#13364; opencv/opencv 5.x convolution tails",
        lambda p: p.may_pad and p.x_zero_point != RANGES[p.x_dtype][0],
        {"pad": pad_with_lowest_code},
    ),
    Fault(
        "F11.tail",
        "padding taps of the last pixels of a depthwise convolution read the lowest code",
        "opencv/opencv 5.x conv2_int8_kernels.simd.hpp, the scalar tail of a plane",
        lambda p: (
            _is_plane_by_plane(p) and p.may_pad and p.x_zero_point != RANGES[p.x_dtype][0]
        ),
        {"accumulate": tail_reads_lowest_code},
    ),
    Fault(
        "F12",
        "padding holds code 0 instead of the zero point",
        "apache/tvm PR 4807",
        lambda p: p.may_pad and p.x_zero_point != 0,
        {"pad": pad_with_code_zero},
    ),
    Fault(
        "F14",
        "begin and end pads swapped",
        "asymmetric pads, SAME_LOWER against SAME_UPPER",
        _asymmetric,
        {"pad": pad_swapped},
    ),
    Fault(
        "F16",
        "auto_pad SAME begins (kernel - 1) / 2 outside, whatever stride, dilation, image and side",
        "opencv/opencv 5.x, measured on every kernel to 5, stride to 3, dilation to 2",
        _other_same_pads,
        {"pad": pad_same_by_kernel},
    ),
)
