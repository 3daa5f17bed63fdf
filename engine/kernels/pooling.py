"""Where the windows of a pool lie, and how they are reduced: tap by tap, one axis after the other.

A pool never pads its image. Each tap of the kernel is a strided slice of the image, which meets a
contiguous range of outputs; outside that range the tap lies on the border.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.errors import EngineError, InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.float_convolution import window_from
from engine.kernels.geometry import Window

CHUNK = 2**17
"""Elements of the image that are pooled at once: the temporaries stay small and in cache."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The geometry attributes of a pool; ``window.pads`` is begins, then ends."""

    window: Window
    ceil: bool = False

    @property
    def taps(self) -> int:
        """Elements of a whole window."""
        return int(np.prod(self.window.kernel))

    @property
    def may_pad(self) -> bool:
        """Whether some image makes a window reach over pads."""
        if self.window.auto_pad.startswith("SAME"):
            return self.taps > 1
        return self.window.auto_pad == "NOTSET" and any(self.window.pads)

    @property
    def may_overhang(self) -> bool:
        """Whether some image makes a last window of ceil mode reach beyond the end pads."""
        axes = zip(self.window.kernel, self.window.strides, strict=True)
        return (
            self.ceil
            and self.window.auto_pad == "NOTSET"
            and any(k > 1 and stride > 1 for k, stride in axes)
        )


@dataclass(frozen=True, slots=True)
class Axis:
    """One spatial axis of one image: output o has its tap k at ``o*stride + k*dilation - begin``."""

    size: int
    out: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int

    def tap(self, k: int) -> tuple[slice, slice]:
        """The outputs whose tap k lies inside the image, and where in the image it lies."""
        first = k * self.dilation - self.begin
        low = max(0, -(first // self.stride))
        high = min(self.out, (self.size - 1 - first) // self.stride + 1)
        if high <= low:
            return slice(0, 0), slice(0, 0)
        start = first + low * self.stride
        return slice(low, high), slice(
            start, start + (high - low - 1) * self.stride + 1, self.stride
        )

    def counts(self, with_pads: bool = False) -> Array:
        """How many taps of each output lie inside the image, or inside image and pads."""
        last = (self.out - 1) * self.stride + (self.kernel - 1) * self.dilation
        if not self.begin and last < self.size:
            return np.full(self.out, self.kernel)
        low, high = (-self.begin, self.size + self.end) if with_pads else (0, self.size)
        positions = (
            np.arange(self.out)[:, None] * self.stride
            + np.arange(self.kernel) * self.dilation
            - self.begin
        )
        inside: Array = ((positions >= low) & (positions < high)).sum(axis=1)
        return inside


def axes_as_resolved(axes: tuple[Axis, ...], pool: Pool) -> tuple[Axis, ...]:
    """The axes of a pool as the standard has them."""
    return axes


Part = Callable[[Array, tuple[Axis, ...], slice], Array]
"""(planes (P, *S), the axes over them, which rows of outputs) -> (P, *out)."""


def read_pool(node: Node) -> Pool:
    """The geometry attributes of a pool, checked.

    Raises:
        InvalidModel: no ``kernel_shape``, or an attribute of the wrong length or sign.
    """
    kernel = node.attributes.get("kernel_shape")
    if not isinstance(kernel, tuple) or not kernel:
        raise InvalidModel(f"{node.op} {node.id!r} has no kernel_shape; it is required")
    window = window_from(node, tuple(int(each) for each in kernel))
    if min(window.pads) < 0:
        raise InvalidModel(
            f"{node.op} {node.id!r}: pads {list(window.pads)} are negative; crop the input with Slice"
        )
    return Pool(window, bool(node.attributes.get("ceil_mode", 0)))


def resolve(pool: Pool, image: tuple[int, ...], node: Node) -> tuple[Axis, ...]:
    """The axes of a pool over an image of that spatial size.

    ``out = floor((image + begin + end - extent) / stride) + 1`` with
    ``extent = dilation * (kernel - 1) + 1``; ceil mode rounds up, but leaves out a last window that
    would start behind the image, in the end pad.

    Raises:
        EngineError: an image of another rank, or one the window does not fit into.
        Unsupported: ceil mode with auto_pad VALID where the standard says two things.

    Source:
        ONNX MaxPool-22, AveragePool-22.
    """
    window = pool.window
    count = len(window.kernel)
    if len(image) != count:
        raise EngineError(
            f"{node.op} {node.id!r}: {len(image)} spatial axes, kernel {window.kernel}"
        )
    pads, out = window.resolve(image, node.id)
    if pool.ceil and not window.auto_pad.startswith("SAME"):
        out = tuple(_ceiling(window, i, image[i], pads, node) for i in range(count))
    return tuple(
        Axis(
            image[i],
            out[i],
            window.kernel[i],
            window.strides[i],
            window.dilations[i],
            pads[i],
            pads[i + count],
        )
        for i in range(count)
    )


def _ceiling(window: Window, i: int, size: int, pads: tuple[int, ...], node: Node) -> int:
    begin, end = pads[i], pads[i + len(window.kernel)]
    stride = window.strides[i]
    room = size + begin + end - window.dilations[i] * (window.kernel[i] - 1) - 1
    if window.auto_pad == "VALID" and room % stride:
        raise Unsupported(
            f"{node.op} {node.id!r}: auto_pad VALID with ceil_mode 1, where the formula of ONNX and its "
            f"shape inference differ on spatial axis {i}; use pads instead"
        )
    out = -(-room // stride) + 1
    return max(0, out - 1 if (out - 1) * stride >= size + begin else out)


def reduce_taps(x: Array, axes: tuple[Axis, ...], combine: np.ufunc, start: Any) -> Array:
    """``combine`` over all taps inside the image, beginning with ``start``.

    One axis after the other, which costs the sum of the kernel's sides instead of their product;
    exact for maxima and for integers.

    Shapes:
        ``x`` (..., *S), one entry of ``axes`` for each of S -> (..., *out) of the type of ``x``.
    """
    lead = x.ndim - len(axes)
    for i, axis in enumerate(axes):
        before = (slice(None),) * (lead + i)
        taps = [axis.tap(k) for k in range(axis.kernel)]
        everywhere = slice(0, axis.out)
        whole = next((places for outs, places in taps if outs == everywhere), None)
        if whole is None:
            shape = (*x.shape[: lead + i], axis.out, *x.shape[lead + i + 1 :])
            y = np.full(shape, start, x.dtype)
        else:
            y = x[*before, whole].copy()
        for outs, places in taps:
            if places != whole:
                part = y[*before, outs]
                combine(part, x[*before, places], out=part)
        x = y
    return x


def taps_in_order(axes: tuple[Axis, ...]) -> Iterator[tuple[Any, Any, tuple[int, ...]]]:
    """Every tap of a window in row-major order: index of its outputs, of its places, and itself."""
    for tap in itertools.product(*(range(each.kernel) for each in axes)):
        pairs = [axis.tap(k) for axis, k in zip(axes, tap, strict=True)]
        yield (..., *(each[0] for each in pairs)), (..., *(each[1] for each in pairs)), tap


def sum_in_order(x: Array, axes: tuple[Axis, ...]) -> Array:
    """The sum of each window, its taps added one by one in row-major order."""
    y = np.zeros((*x.shape[: x.ndim - len(axes)], *(each.out for each in axes)), x.dtype)
    for outs, places, _ in taps_in_order(axes):
        part = y[outs]
        np.add(part, x[places], out=part)
    return y


Counts = tuple[Array, ...]
"""How many taps count along each axis, for each output: their outer product is that of windows."""


def count_taps(axes: tuple[Axis, ...], with_pads: bool = False) -> Counts:
    """How many taps of each window lie inside the image, or inside image and pads."""
    return tuple(each.counts(with_pads) for each in axes)


def windows_of(counts: Counts, rows: slice) -> Array:
    """The outer product of counts, for some rows of outputs: (rows, *out)."""
    product: Array = counts[0][rows]
    for each in counts[1:]:
        product = product[..., None] * each
    return product


def refuse_empty_windows(axes: tuple[Axis, ...], node: Node) -> None:
    """Refuses windows that see nothing but border: they have no maximum and no mean."""
    for i, axis in enumerate(axes):
        if (axis.begin or axis.end) and not axis.counts().all():
            raise EngineError(
                f"{node.op} {node.id!r}: a window sees only the border on spatial axis {i} (size "
                f"{axis.size}, pads {axis.begin} and {axis.end}); make the pads smaller"
            )


def in_parts(x: Array, axes: tuple[Axis, ...], dtype: Any, pool: Part) -> Array:
    """``pool`` on a few planes at a time, or on strips of a large one.

    Shapes:
        ``x`` (N, C, *S) -> (N, C, *out) of type ``dtype``.
    """
    lead, image = x.shape[: x.ndim - len(axes)], x.shape[x.ndim - len(axes) :]
    number, size = int(np.prod(lead)), int(np.prod(image))
    planes, out = x.reshape(number, *image), tuple(each.out for each in axes)
    if number * size <= CHUNK:
        return pool(planes, axes, slice(None)).reshape(*lead, *out)
    y = np.empty((number, *out), dtype)
    step = max(1, CHUNK // size)
    strips = list(_strips(axes[0], max(1, CHUNK * axes[0].out // size)))
    for start in range(0, number, step):
        part = slice(start, start + step)
        for rows, places, axis in strips:
            y[part, rows] = pool(planes[part, places], (axis, *axes[1:]), rows)
    return y.reshape(*lead, *out)


def _strips(axis: Axis, step: int) -> Iterator[tuple[slice, slice, Axis]]:
    """Ranges of outputs, the part of the image that each sees, and its axis over that part."""
    for start in range(0, axis.out, step):
        stop = min(start + step, axis.out)
        first = start * axis.stride - axis.begin
        reach = (stop - 1 - start) * axis.stride + (axis.kernel - 1) * axis.dilation
        low, high = min(max(first, 0), axis.size), min(max(first + reach + 1, 0), axis.size)
        strip = replace(axis, size=high - low, out=stop - start, begin=low - first)
        yield slice(start, stop), slice(low, high), strip


def lowest(dtype: np.dtype[Any]) -> Any:
    """What no maximum is below: minus infinity, or the lowest integer."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).min
    return False if dtype.kind == "b" else -np.inf


POOL_ATTRIBUTES = "auto_pad ceil_mode dilations kernel_shape pads strides"
