"""Faults of the border."""

import operator
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Protocol

import numpy as np

from engine.arithmetic import RANGES, Int32
from engine.faults.fault import Fault
from engine.faults.pad_origin import by_origin
from engine.ir import Array
from engine.kernels.geometry import Window, pad_spatial
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import (
    Accumulate,
    multiply_exactly,
    pad_with,
    pad_with_zero_point,
)

Pads = tuple[int, ...]


class Windowed(Protocol):
    """The record of an operation with a window."""

    @property
    def window(self) -> Window:
        """Its geometry."""


LANES = 8
TILES = 4


def pad_with_lowest_code(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """The border reads the lowest code, 0 in the unsigned domain, yet zx is folded over it."""
    return pad_with(x, pads, RANGES[p.x_dtype][0]), p.x_zero_point


def pad_with_code_zero(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """The border reads code 0, which is real 0 only where zx is 0."""
    return pad_with(x, pads, 0), p.x_zero_point


def pad_modulo_256(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """The border reads ``zx mod 256`` in int16: a negative zero point becomes another code."""
    return pad_with(x, pads, p.x_zero_point % 256), p.x_zero_point


def pad_swapped(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """The begin pads at the end, the end pads at the beginning."""
    half = len(pads) // 2
    return pad_with_zero_point(x, p, pads[half:] + pads[:half])


def pad_begins_of_other_axis(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """The pads of height and width are swapped; the axes in reverse order."""
    return _begin_at(x, p, pads, pads[: len(pads) // 2][::-1])


def pad_in_pairs(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """Begins, then ends, are read as begin and end of each axis in turn."""
    return _begin_at(x, p, pads, pads[::2])


def pad_with_neighbours(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """Beside a row lies what lies beside it in memory: the rows before and behind it.

    Above and below the image, and beside the tensor's first and last row, is real 0.
    """
    half, flat = len(pads) // 2, np.ascontiguousarray(x).reshape(-1)
    width = x.shape[-1]
    ends = (
        *(0 for _ in range(half - 1)),
        pads[half - 1],
        *(0 for _ in range(half - 1)),
        pads[-1],
    )
    places = np.arange(-pads[half - 1], width + pads[-1])
    places = places + np.arange(flat.size // max(width, 1))[:, None] * width
    inside = (places >= 0) & (places < flat.size)
    rows = np.where(inside, flat.take(places, mode="clip"), p.x_zero_point)
    wide = rows.reshape(*x.shape[:-1], -1).astype(np.int16)
    rest = tuple(0 if end else pad for pad, end in zip(pads, ends, strict=True))
    return pad_with(wide, rest, p.x_zero_point), p.x_zero_point


def without_end_pads(y: Array, x: Array, p: ConvParameters) -> Array:
    """The begin pads serve on both sides; what of the output that leaves out is real 0."""
    pads, _ = p.window.resolve(x.shape[2:], p.node)
    half = len(pads) // 2
    lost = [max(end - begin, 0) for begin, end in zip(pads[:half], pads[half:], strict=True)]
    left = tuple(
        slice(
            None, max(_outputs(p, i, x.shape[2 + i] + pads[i] + pads[half + i] - lost[i]), 0)
        )
        for i in range(half)
    )
    kept = np.full_like(y, p.y_zero_point)
    kept[:, :, *left] = y[:, :, *left]
    return kept if any(lost) else y


def _outputs(p: ConvParameters, axis: int, size: int) -> int:
    extent = p.dilations[axis] * (p.kernel[axis] - 1) + 1
    return (size - extent) // p.strides[axis] + 1


def _begin_at(x: Array, p: ConvParameters, pads: Pads, begins: Pads) -> tuple[Array, int]:
    """The image behind other begins, within the same size; real 0 around it."""
    half = len(begins)
    sizes = [n + pads[i] + pads[half + i] for i, n in enumerate(x.shape[2:])]
    lengths = [
        max(min(n, size - b), 0) for n, size, b in zip(x.shape[2:], sizes, begins, strict=True)
    ]
    padded = np.full((*x.shape[:2], *sizes), p.x_zero_point, np.int16)
    places = (slice(b, b + n) for b, n in zip(begins, lengths, strict=True))
    padded[:, :, *places] = x[:, :, *(slice(n) for n in lengths)]
    return padded, p.x_zero_point


def pad_same_by_kernel(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """auto_pad SAME begins ``(kernel - 1) // 2`` before the image, on either side of UPPER and LOWER.

    The border goes on at the end as far as the windows reach.
    """
    if not p.auto_pad.startswith("SAME"):
        return pad_with_zero_point(x, p, pads)
    padded, inside = around(by_kernel(pads, p.kernel))
    wide = pad_with(x, padded, p.x_zero_point)
    return np.ascontiguousarray(wide[:, :, *inside]), p.x_zero_point


def by_kernel(pads: Pads, kernel: Pads) -> Pads:
    """Begins of ``(kernel - 1) // 2``, and ends that keep the sums; an end may be negative."""
    half = len(kernel)
    begins = tuple((size - 1) // 2 for size in kernel)
    return (*begins, *(pads[i] + pads[half + i] - begins[i] for i in range(half)))


def around(pads: Pads) -> tuple[Pads, tuple[slice, ...]]:
    """Pads without those below 0, and what of the padded image these leave of it."""
    half = len(pads) // 2
    inside = tuple(slice(None, min(end, 0) or None) for end in pads[half:])
    return (*pads[:half], *(max(end, 0) for end in pads[half:])), inside


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


def possible_pads(window: Window) -> Iterator[Pads]:
    """The pads of every image: with SAME, sizes that differ by the stride have the same."""
    if window.auto_pad == "NOTSET":
        yield window.pads
        return
    for image in product(*(range(1, stride + 1) for stride in window.strides)):
        yield window.pads_of(image)


def some_pads(differ: Callable[[Pads, Pads], bool]) -> Callable[[Windowed], bool]:
    """Whether, for some image, begins and ends are such."""

    def trigger(p: Windowed) -> bool:
        half = len(p.window.kernel)
        return any(differ(pads[:half], pads[half:]) for pads in possible_pads(p.window))

    return trigger


def _longer(begins: Pads, ends: Pads) -> bool:
    return any(end > begin for begin, end in zip(begins, ends, strict=True))


def other_same_pads(window: Window) -> bool:
    """Whether SAME, for some image, begins elsewhere than at ``(kernel - 1) // 2``."""
    if not window.auto_pad.startswith("SAME"):
        return False
    lower = window.auto_pad == "SAME_LOWER"
    return any(
        k > 1 and (s > 1 or d > 1 or (lower and k % 2 == 0))
        for k, s, d in zip(window.kernel, window.strides, window.dilations, strict=True)
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
        "F13",
        "padding holds a negative zero point modulo 256",
        "google/XNNPACK PR 8647",
        lambda p: p.may_pad and p.x_zero_point < 0,
        {"pad": pad_modulo_256},
    ),
    *by_origin(
        Fault(
            "F14",
            "begin and end pads swapped",
            "asymmetric pads, SAME_LOWER against SAME_UPPER",
            some_pads(operator.ne),
            {"pad": pad_swapped},
        ),
        pad_with_zero_point,
    ),
    Fault(
        "F15",
        "the end pads are ignored: the begin pads serve on both sides, the rest is real 0",
        "microsoft/onnxruntime PR 27375",
        some_pads(_longer),
        {"conv.write": without_end_pads},
    ),
    Fault(
        "F16",
        "auto_pad SAME begins (kernel - 1) / 2 outside, whatever stride, dilation, image and side",
        "opencv/opencv 5.x, measured on every kernel to 5, stride to 3, dilation to 2",
        lambda p: other_same_pads(p.window),
        {"pad": pad_same_by_kernel},
    ),
    Fault(
        "F20",
        "the pads of height and width are swapped",
        "pads as (left, top, right, bottom)",
        some_pads(lambda begins, ends: begins != begins[::-1]),
        {"pad": pad_begins_of_other_axis},
    ),
    Fault(
        "F20.pairs",
        "the pads are read as begin and end of each axis in turn",
        "pads as (top, bottom, left, right)",
        some_pads(lambda begins, ends: begins != (*begins, *ends)[::2]),
        {"pad": pad_in_pairs},
    ),
    Fault(
        "F21",
        "beside a row the neighbouring rows are read instead of padding",
        "oneapi-src/oneDNN#5080",
        some_pads(lambda begins, ends: begins[-1] + ends[-1] > 0),
        {"pad": pad_with_neighbours},
    ),
)
