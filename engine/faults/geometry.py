"""Faults of which pixels a window reads: strides, dilations, images and groups that are another's.

The output keeps its size. What such a window reaches beyond the padded image is real 0.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from engine.arithmetic import Int32
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.geometry import Window, pad_spatial
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Accumulate, multiply_exactly, pad_with_border

Sizes = tuple[int, ...]
ReadAs = Callable[[Window], Window]


def swap_strides(window: Window) -> Window:
    """``(sw, sh)`` for ``(sh, sw)``; the axes in reverse order."""
    return replace(window, strides=window.strides[::-1])


def swap_dilations(window: Window) -> Window:
    """``(dw, dh)`` for ``(dh, dw)``; the axes in reverse order."""
    return replace(window, dilations=window.dilations[::-1])


def without_dilation(window: Window) -> Window:
    """A 3x3 kernel of stride 1 reads neighbouring pixels, as Winograd's transform does."""
    special = window.kernel == (3, 3) and window.strides == (1, 1)
    return replace(window, dilations=(1, 1)) if special else window


def without_stride(window: Window) -> Window:
    """A 3x3 kernel goes on by one pixel, as Winograd's transform does."""
    special = window.kernel == (3, 3) and window.dilations == (1, 1)
    return replace(window, strides=(1, 1)) if special else window


def read_as(change: ReadAs, p: ConvParameters, weights: Array) -> Accumulate:
    """The accumulate stage, through another window."""
    window = change(p.window)
    exact = multiply_exactly(replace(p, window=window), weights)
    return partial(_read_within, window, exact)


def _read_within(
    window: Window, exact: Accumulate, padded: Array, zero_point: int, pads: Sizes, out: Sizes
) -> Int32:
    return exact(within_reach(padded, window, zero_point, out), zero_point, pads, out)


def within_reach(padded: Array, window: Window, zero_point: int, out: Sizes) -> Array:
    """The padded image with so much more of real 0 behind it that all windows find their pixels."""
    geometry = zip(
        padded.shape[2:], window.kernel, window.strides, window.dilations, out, strict=True
    )
    lacking = [
        max((count - 1) * stride + dilation * (taps - 1) + 1 - size, 0)
        for size, taps, stride, dilation, count in geometry
    ]
    return pad_spatial(padded, (*(0 for _ in out), *lacking), zero_point)


def read_first_image(
    x: Array, p: ConvParameters, pads: Sizes, border: int
) -> tuple[Array, int]:
    """Every image of the batch is the first."""
    return pad_with_border(np.broadcast_to(x[:1], x.shape), p, pads, border)


def read_first_group(
    x: Array, p: ConvParameters, pads: Sizes, border: int
) -> tuple[Array, int]:
    """Every group of a 3x3 kernel of stride 1 reads the channels of the first."""
    if is_winograd(p):
        x = np.tile(x[:, : p.in_per_group], (1, p.groups, *(1 for _ in p.kernel)))
    return pad_with_border(x, p, pads, border)


def is_winograd(p: ConvParameters) -> bool:
    """Whether it is of the kind that Winograd's transform is for, but for its groups."""
    return p.kernel == (3, 3) and set(p.strides + p.dilations) == {1}


def _reads_another(change: ReadAs) -> Callable[[ConvParameters], bool]:
    """Whether some tap of some output reads another pixel."""

    def trigger(p: ConvParameters) -> bool:
        other = change(p.window)
        taps = zip(p.kernel, p.dilations, other.dilations, strict=True)
        return p.strides != other.strides or any(k > 1 and d != e for k, d, e in taps)

    return trigger


def _fault(key: str, title: str, source: str, change: ReadAs) -> Fault:
    return Fault(
        key, title, source, _reads_another(change), {"accumulate": partial(read_as, change)}
    )


FAULTS = (
    _fault("F17", "the strides of height and width are swapped", "sh != sw", swap_strides),
    _fault(
        "F18",
        "the dilations of height and width are swapped",
        "alibaba/MNN PR 154",
        swap_dilations,
    ),
    Fault(
        "F10b",
        "every image of a batch reads the first",
        "a batch stride that is never added",
        lambda p: True,
        {"pad": read_first_image},
    ),
    _fault(
        "F79f",
        "a dilated 3x3 convolution is computed by Winograd's transform, which ignores the dilation",
        "the guard of Winograd kernels on dilation",
        without_dilation,
    ),
    _fault(
        "F79f.stride",
        "a strided 3x3 convolution is computed by Winograd's transform, which ignores the stride",
        "the guard of Winograd kernels on strides",
        without_stride,
    ),
    Fault(
        "F79f.groups",
        "a grouped 3x3 convolution is computed by Winograd's transform, which reads the first group",
        "the guard of Winograd kernels on groups",
        lambda p: p.groups > 1 and is_winograd(p),
        {"pad": read_first_group},
    ),
)
