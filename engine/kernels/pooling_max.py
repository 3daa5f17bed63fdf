"""MaxPool, GlobalMaxPool and MaxUnpool: any type that has an order, 8-bit codes among them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Node
from engine.kernels.operator import Kernel, Setting, operator
from engine.kernels.pooling import (
    POOL_ATTRIBUTES,
    Axis,
    Pool,
    axes_as_resolved,
    in_parts,
    lowest,
    read_pool,
    reduce_taps,
    refuse_empty_windows,
    resolve,
    taps_in_order,
)


@dataclass(frozen=True, slots=True)
class MaxPoolParameters:
    """One MaxPool, or (without ``pool``) GlobalMaxPool.

    ``zero_point`` and ``x_dtype`` are those of its codes where a rule put it on codes, else None.
    ``indices`` says whether there is a second output.
    """

    node: str
    pool: Pool | None
    column_major: bool
    zero_point: int | None
    x_dtype: np.dtype[Any] | None
    indices: bool


def read_max_pool(node: Node, pool: Pool | None) -> MaxPoolParameters:
    """The record of a node; what a rule knows of its codes are attributes."""
    given: Mapping[str, Any] = node.attributes
    dtype = given.get("x_dtype")
    return MaxPoolParameters(
        node.id,
        pool,
        bool(given.get("storage_order", 0)),
        given.get("zero_point"),
        None if dtype is None else np.dtype(dtype),
        len(node.outputs) == 2,
    )


def max_pool(node: Node, setting: Setting) -> Kernel:
    """The largest value of each window; the border never wins. Second output: where it lies.

    An index counts elements of the whole tensor; of equal values the first in row-major order
    wins. ``storage_order`` 1 counts the spatial axes column-major.

    Shapes:
        ``x`` (N, C, *S) -> (N, C, *out), and int64 indices of the same shape.

    Source:
        ONNX MaxPool-1, -8, -10, -11, -12, -22.
    """
    pool = read_pool(node)
    p = read_max_pool(node, pool)
    largest = setting.stage("max_pool.largest", largest_of_windows)
    with_index = setting.stage("max_pool.index", largest_with_index)
    laid = setting.stage("max_pool.axes", axes_as_resolved)

    def values(x: Array) -> Array:
        axes = laid(_axes(x, pool, node), pool)
        return in_parts(x, axes, x.dtype, lambda part, over, _: largest(part, over, p))

    def both(x: Array) -> tuple[Array, Array]:
        return with_index(x, laid(_axes(x, pool, node), pool), p.column_major)

    return Kernel(both if p.indices else values, parameters=p)


def _axes(x: Array, pool: Pool, node: Node) -> tuple[Axis, ...]:
    axes = resolve(pool, x.shape[2:], node)
    refuse_empty_windows(axes, node)
    return axes


def largest_of_windows(x: Array, axes: tuple[Axis, ...], p: MaxPoolParameters) -> Array:
    """``max`` over the taps inside the image: (planes, *S) -> (planes, *out)."""
    return reduce_taps(x, axes, np.maximum, lowest(x.dtype))


def largest_with_index(
    x: Array, axes: tuple[Axis, ...], column_major: bool
) -> tuple[Array, Array]:
    """The largest value of each window (NaN above all) and where it is first met, as a flat index."""
    shape = (*x.shape[:2], *(each.out for each in axes))
    y, where = np.zeros(shape, x.dtype), np.full(shape, -1, np.int64)
    for outs, places, tap in taps_in_order(axes):
        part, best, index = x[places], y[outs], _flat(axes, tap, column_major)
        better = (part > best) | (where[outs] < 0) | ((part != part) & (best == best))
        np.copyto(y[outs], part, where=better)
        np.copyto(where[outs], index, where=better)
    planes = np.arange(x.shape[0] * x.shape[1]) * int(np.prod(x.shape[2:]))
    where += planes.reshape(*x.shape[:2], *(1,) * len(axes))
    return y, where


def _flat(axes: tuple[Axis, ...], tap: tuple[int, ...], column_major: bool) -> Array:
    """The index in its plane of the place of each output that has this tap inside the image."""
    total: Array = np.zeros((), np.int64)
    step = 1
    places = list(enumerate(zip(axes, tap, strict=True)))
    for i, (axis, k) in places if column_major else reversed(places):
        position = np.arange(axis.size)[axis.tap(k)[1]] * step
        total = total + position.reshape(-1, *(1,) * (len(axes) - 1 - i))
        step *= axis.size
    return total


def largest_of_plane(x: Array, p: MaxPoolParameters) -> Array:
    """``max`` over all spatial axes: (N, C, *S) -> (N, C, *1)."""
    y: Array = x.max(axis=tuple(range(2, x.ndim)), keepdims=True)
    return y


def global_max_pool(node: Node, setting: Setting) -> Kernel:
    """``y = max`` over all spatial axes, which stay with size 1.

    Source:
        ONNX GlobalMaxPool-1, -22.
    """
    p = read_max_pool(node, None)
    largest = setting.stage("max_pool.plane", largest_of_plane)

    def run(x: Array) -> Array:
        if x.ndim < 3 or 0 in x.shape[2:]:
            raise EngineError(
                f"{node.op} {node.id!r}: shape {x.shape}; it needs one spatial axis or more, none empty"
            )
        return largest(x, p)

    return Kernel(run, parameters=p)


def max_unpool(node: Node, setting: Setting) -> Callable[..., Array]:
    """Each value back to its index, zeros elsewhere; ``output_shape`` adds zeros at the ends.

    ``size = (in - 1) * stride - begin - end + kernel``; the indices count elements of a tensor of
    that size.

    Source:
        ONNX MaxUnpool-9, -11, -22.
    """
    pool = read_pool(node)
    window, count = pool.window, len(pool.window.kernel)

    def run(x: Array, indices: Array, output_shape: Array | None = None) -> Array:
        if x.ndim != count + 2 or indices.shape != x.shape:
            raise EngineError(
                f"{node.op} {node.id!r}: values {x.shape}, indices {indices.shape}, kernel {window.kernel}"
            )
        sizes = (
            (x.shape[i + 2] - 1) * window.strides[i]
            - window.pads[i]
            - window.pads[i + count]
            + window.kernel[i]
            for i in range(count)
        )
        shape = (*x.shape[:2], *sizes)
        if x.size and not 0 <= indices.min() <= indices.max() < np.prod(shape):
            raise EngineError(
                f"{node.op} {node.id!r}: indices outside a tensor of shape {shape}"
            )
        y = np.zeros(shape, x.dtype)
        y.reshape(-1)[indices.reshape(-1)] = x.reshape(-1)
        return y if output_shape is None else _enlarged(node, y, output_shape)

    return run


def _enlarged(node: Node, y: Array, output_shape: Array) -> Array:
    wanted = tuple(int(each) for each in output_shape)
    extra = [w - s for w, s in zip(wanted, y.shape, strict=False)]
    if len(wanted) != y.ndim or min(extra) < 0:
        raise InvalidModel(
            f"{node.op} {node.id!r}: output_shape {wanted} is smaller than {y.shape}"
        )
    return np.pad(y, [(0, each) for each in extra])


OPERATORS = (
    operator("MaxPool", max_pool, f"{POOL_ATTRIBUTES} storage_order", outputs=(1, 2)),
    operator("GlobalMaxPool", global_max_pool),
    operator("MaxUnpool", max_unpool, "kernel_shape pads strides", inputs=(2, 3), since=9),
)
