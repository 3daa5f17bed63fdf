"""A convolution strip by strip: rows of the output at a time, so that temporaries stay small.

The columns of a whole image are as many times larger than it as the kernel has taps, and float32 where
codes have a byte. A strip of output rows reads the rows of the input its windows cover; only at the edges
of the image it has pads of its own. Every element is computed as in one piece.
"""

import math
from collections.abc import Callable

import numpy as np

from engine.ir import Array
from engine.kernels.geometry import Window
from engine.kernels.parameters import ConvParameters

BYTES = 1 << 20
"""About what the columns and sums of a strip may take: they stay in the second-level cache."""

Piece = Callable[[Array, tuple[int, ...], tuple[int, ...]], Array]
"""(codes, pads begins and ends, output size) -> codes of that size."""


def in_strips(
    p: ConvParameters, piece: Piece, x: Array, pads: tuple[int, ...], out: tuple[int, ...]
) -> Array:
    """``piece`` of the whole image, computed a strip of output rows and an image at a time.

    Shapes:
        ``x`` (N, C, *S) -> (N, M, *out).
    """
    rows = max(1, BYTES // max(_bytes_of_row(p, out), 1))
    if x.shape[0] * out[0] <= rows:
        return piece(x, pads, out)
    y = np.empty((x.shape[0], p.out_channels, *out), p.y_dtype)
    for first in range(0, out[0], rows):
        last = min(first + rows, out[0])
        begin, end, around = strip_of(p.window, x.shape[2], pads, first, last)
        for n in range(x.shape[0]):
            strip = x[n : n + 1, :, begin:end]
            y[n : n + 1, :, first:last] = piece(strip, around, (last - first, *out[1:]))
    return y


def _bytes_of_row(p: ConvParameters, out: tuple[int, ...]) -> int:
    """Columns of one group in float32 (groups are multiplied a few at a time), sums in float64 twice."""
    pixel = 4 * p.in_per_group * math.prod(p.kernel) + 16 * p.out_channels
    return pixel * math.prod(out[1:])


def strip_of(
    window: Window, height: int, pads: tuple[int, ...], first: int, last: int
) -> tuple[int, int, tuple[int, ...]]:
    """The input rows that output rows ``first`` to ``last`` read, and the pads around them."""
    stride, count = window.strides[0], len(window.kernel)
    extent = window.dilations[0] * (window.kernel[0] - 1) + 1
    top = first * stride - pads[0]
    bottom = (last - 1) * stride - pads[0] + extent
    begin, end = min(max(top, 0), height), max(min(bottom, height), 0)
    if end < begin:
        begin = end
    above = max(-top, 0) if begin < end else bottom - top
    below = max(bottom - height, 0) if begin < end else 0
    return begin, end, (above, *pads[1:count], below, *pads[count + 1 :])
