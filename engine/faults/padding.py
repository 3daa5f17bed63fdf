"""Faults of where the border is."""

import operator
from collections.abc import Callable, Iterator
from itertools import product
from typing import Protocol

import numpy as np

from engine.faults.fault import Fault
from engine.faults.pad_origin import by_origin
from engine.ir import Array
from engine.kernels.geometry import Window
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import (
    pad_with,
    pad_with_border,
)

Pads = tuple[int, ...]


class Windowed(Protocol):
    """The record of an operation with a window."""

    @property
    def window(self) -> Window:
        """Its geometry."""


def pad_swapped(x: Array, p: ConvParameters, pads: Pads, border: int) -> tuple[Array, int]:
    """The begin pads at the end, the end pads at the beginning."""
    half = len(pads) // 2
    return pad_with_border(x, p, pads[half:] + pads[:half], border)


def pad_begins_of_other_axis(
    x: Array, p: ConvParameters, pads: Pads, border: int
) -> tuple[Array, int]:
    """The pads of height and width are swapped; the axes in reverse order."""
    return _begin_at(x, p, pads, pads[: len(pads) // 2][::-1], border)


def pad_in_pairs(x: Array, p: ConvParameters, pads: Pads, border: int) -> tuple[Array, int]:
    """Begins, then ends, are read as begin and end of each axis in turn."""
    return _begin_at(x, p, pads, pads[::2], border)


def pad_with_neighbours(
    x: Array, p: ConvParameters, pads: Pads, border: int
) -> tuple[Array, int]:
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
    rows = np.where(inside, flat.take(places, mode="clip"), border)
    wide = rows.reshape(*x.shape[:-1], -1).astype(np.int16)
    rest = tuple(0 if end else pad for pad, end in zip(pads, ends, strict=True))
    return pad_with(wide, rest, border), p.x_zero_point


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


def _begin_at(
    x: Array, p: ConvParameters, pads: Pads, begins: Pads, border: int
) -> tuple[Array, int]:
    """The image behind other begins, within the same size; real 0 around it."""
    half = len(begins)
    sizes = [n + pads[i] + pads[half + i] for i, n in enumerate(x.shape[2:])]
    lengths = [
        max(min(n, size - b), 0) for n, size, b in zip(x.shape[2:], sizes, begins, strict=True)
    ]
    padded = np.full((*x.shape[:2], *sizes), border, np.int16)
    places = (slice(b, b + n) for b, n in zip(begins, lengths, strict=True))
    padded[:, :, *places] = x[:, :, *(slice(n) for n in lengths)]
    return padded, p.x_zero_point


def pad_same_by_kernel(
    x: Array, p: ConvParameters, pads: Pads, border: int
) -> tuple[Array, int]:
    """auto_pad SAME begins ``(kernel - 1) // 2`` before the image, on either side of UPPER and LOWER.

    The border goes on at the end as far as the windows reach.
    """
    if not p.auto_pad.startswith("SAME"):
        return pad_with_border(x, p, pads, border)
    padded, inside = around(by_kernel(pads, p.kernel))
    wide = pad_with(x, padded, border)
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
    *by_origin(
        Fault(
            "F14",
            "begin and end pads swapped",
            "asymmetric pads, SAME_LOWER against SAME_UPPER",
            some_pads(operator.ne),
            {"pad": pad_swapped},
        ),
        pad_with_border,
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
