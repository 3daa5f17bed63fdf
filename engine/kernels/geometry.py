"""Where the window of a convolution goes: pads, output sizes, and the view of all windows."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Node


@dataclass(frozen=True, slots=True)
class Window:
    """The attributes of ONNX Conv that fix its geometry; ``pads`` is begins, then ends."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    auto_pad: str

    def resolve(
        self, image: tuple[int, ...], node: str
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Begin-and-end pads, and the output size, for an image.

        ``out = floor((image + begin + end - extent) / stride) + 1`` with
        ``extent = dilation * (kernel - 1) + 1``; SAME chooses the pads so that
        ``out = ceil(image / stride)``, the odd one at the end (UPPER) or the beginning (LOWER).

        Raises:
            EngineError: the window does not fit into the padded image.

        Source:
            ONNX Conv-11.
        """
        pads = self.pads_of(image)
        count = len(image)
        out = []
        for i, size in enumerate(image):
            extent = self.dilations[i] * (self.kernel[i] - 1) + 1
            each = (size + pads[i] + pads[i + count] - extent) // self.strides[i] + 1
            if each < 0:
                raise EngineError(
                    f"{node}: a window of {extent} does not fit into {size} + "
                    f"{pads[i] + pads[i + count]} pads on spatial axis {i}; give a larger image"
                )
            out.append(each)
        return pads, tuple(out)

    def pads_of(self, image: tuple[int, ...]) -> tuple[int, ...]:
        """Begins, then ends, for an image."""
        if self.auto_pad == "NOTSET":
            return self.pads
        if self.auto_pad == "VALID":
            return (0,) * (2 * len(image))
        begins, ends = [], []
        for size, k, stride, dilation in zip(
            image, self.kernel, self.strides, self.dilations, strict=True
        ):
            extent = dilation * (k - 1) + 1
            total = max((-(-size // stride) - 1) * stride + extent - size, 0)
            small, large = total // 2, total - total // 2
            begins.append(small if self.auto_pad == "SAME_UPPER" else large)
            ends.append(large if self.auto_pad == "SAME_UPPER" else small)
        return (*begins, *ends)


def pad_spatial(
    x: Array, pads: tuple[int, ...], value: float, dtype: DTypeLike | None = None
) -> Array:
    """``x`` (N, C, *S) with a border of ``value``; a copy, C-contiguous, of x's type unless given."""
    if min(pads) < 0:
        raise EngineError(f"pads {list(pads)} are negative; crop the input with Slice instead")
    image, count = x.shape[2:], x.ndim - 2
    sizes = [image[i] + pads[i] + pads[i + count] for i in range(count)]
    padded = np.empty((*x.shape[:2], *sizes), dtype or x.dtype)
    padded.fill(value)
    padded[:, :, *[slice(pads[i], pads[i] + image[i]) for i in range(count)]] = x
    return padded


def windows(x: Array, window: Window, out: tuple[int, ...]) -> Array:
    """A view of all windows of a padded, C-contiguous image.

    ``x`` (N, C, *S) gives (N, C, *kernel, *out), ``x`` (N, G, *S, lanes) (N, G, *out, *kernel, lanes).
    """
    count = len(window.kernel)
    spatial = x.strides[2 : 2 + count]
    taps = tuple(s * d for s, d in zip(spatial, window.dilations, strict=True))
    steps = tuple(s * d for s, d in zip(spatial, window.strides, strict=True))
    if x.ndim == count + 2:
        shape = x.shape[:2] + window.kernel + out
        strides = x.strides[:2] + taps + steps
    else:
        shape = x.shape[:2] + out + window.kernel + x.shape[-1:]
        strides = x.strides[:2] + steps + taps + x.strides[-1:]
    if 0 in shape:
        return np.empty(shape, x.dtype)
    return np.ndarray(shape, x.dtype, x, 0, strides)


def columns(x: Array, window: Window, out: tuple[int, ...], groups: int) -> Array:
    """The windows of each group side by side: (N, groups, C/groups * taps, pixels).

    Args:
        x: padded, C-contiguous, (N, C, *S).
        window: the geometry.
        out: the output's spatial size.
        groups: how many groups share the channels.
    """
    pixels = math.prod(out)
    depth = x.shape[1] // groups * math.prod(window.kernel)
    return windows(x, window, out).reshape(x.shape[0], groups, depth, pixels)


def flat_columns(x: Array, window: Window, out: tuple[int, ...], groups: int) -> Array:
    """``columns`` for strides of 1 with the pixels between rows of the output left in.

    A tap is then one run of memory from the first window to the last, which is copied far faster than
    its rows one by one; ``without_gaps`` takes those pixels out of the sums.
    """
    count = len(window.kernel)
    taps = tuple(
        s * d for s, d in zip(x.strides[2 : 2 + count], window.dilations, strict=True)
    )
    length = _run_of(x.strides[2:], x.itemsize, out)
    shape = (*x.shape[:2], *window.kernel, length)
    view = np.ndarray(shape, x.dtype, x, 0, (*x.strides[:2], *taps, x.itemsize))
    depth = x.shape[1] // groups * math.prod(window.kernel)
    return view.reshape(x.shape[0], groups, depth, length)


def without_gaps(sums: Array, x: Array, out: tuple[int, ...]) -> Array:
    """A view of the sums over ``flat_columns`` of ``x``: (..., length) gives (..., *out)."""
    steps = tuple(each // x.itemsize * sums.itemsize for each in x.strides[2:])
    return np.ndarray(
        (*sums.shape[:-1], *out), sums.dtype, sums, 0, (*sums.strides[:-1], *steps)
    )


def _run_of(strides: tuple[int, ...], itemsize: int, out: tuple[int, ...]) -> int:
    return 1 + sum(
        (size - 1) * each // itemsize for size, each in zip(out, strides, strict=True)
    )


def integers(node: Node, name: str, count: int, default: int) -> tuple[int, ...]:
    """An attribute with one integer for each axis, or ``default`` for all of them."""
    given: Any = node.attributes.get(name)
    if given is None:
        return (default,) * count
    if not isinstance(given, tuple) or len(given) != count:
        raise InvalidModel(
            f"{node.op} {node.id!r}: {name} must be {count} integers, got {given}"
        )
    return tuple(int(each) for each in given)
