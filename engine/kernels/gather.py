"""Gather and Scatter: elements by their index; any type."""

from collections.abc import Callable

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Node
from engine.kernels.operator import Setting, operator
from engine.kernels.shape import axes_of

_REDUCE = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


def _axis(node: Node, default: int = 0) -> int:
    axis = node.attributes.get("axis", default)
    if not isinstance(axis, int):
        raise InvalidModel(f"{node.op} {node.id!r}: axis must be an integer, got {axis!r}")
    return axis


def _inside(node: Node, indices: Array, length: int) -> Array:
    """Indices from 0 on; negative ones count from the end.

    Raises:
        EngineError: one lies outside.
    """
    if indices.size and not (-length <= indices.min() and indices.max() < length):
        raise EngineError(
            f"{node.op} {node.id!r}: an index of {indices.min()} to {indices.max()} is outside a "
            f"length of {length}"
        )
    positive: Array = np.where(indices < 0, indices + length, indices)
    return positive


def gather(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y[.., i, ..] = x[.., indices[i], ..]`` along ``axis``.

    Source:
        ONNX Gather-1, -11, -13.
    """
    axis = _axis(node)

    def run(x: Array, indices: Array) -> Array:
        (place,) = axes_of(node, [axis], x.ndim)
        return np.take(x, _inside(node, indices, x.shape[place]), place)

    return run


def gather_elements(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y[i][j] = x[indices[i][j]][j]`` (axis 0), element by element.

    Source:
        ONNX GatherElements-11, -13.
    """
    axis = _axis(node)

    def run(x: Array, indices: Array) -> Array:
        (place,) = axes_of(node, [axis], x.ndim)
        grid = _grid(node, x, indices, place)
        y: Array = x[grid]
        return y

    return run


def _grid(node: Node, x: Array, indices: Array, axis: int) -> tuple[Array, ...]:
    if indices.ndim != x.ndim:
        raise EngineError(
            f"{node.op} {node.id!r}: indices of rank {indices.ndim} for rank {x.ndim}"
        )
    grid: list[Array] = list(np.indices(indices.shape, sparse=True))
    grid[axis] = _inside(node, indices, x.shape[axis])
    return tuple(grid)


def scatter_elements(node: Node, setting: Setting) -> Callable[..., Array]:
    """A copy of x with ``y[indices[i][j]][j] = updates[i][j]`` (axis 0), or added, multiplied, ...

    Source:
        ONNX ScatterElements-11 to -18.
    """
    axis, put = _axis(node), _put(node)

    def run(x: Array, indices: Array, updates: Array) -> Array:
        (place,) = axes_of(node, [axis], x.ndim)
        y = x.copy()
        put(y, _grid(node, x, indices, place), updates)
        return y

    return run


def gather_nd(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y[b, i] = x[b][indices[b, i]]``: each row of indices is a place behind the batch axes.

    Source:
        ONNX GatherND-11 to -13.
    """
    batch = node.attributes.get("batch_dims", 0)
    if not isinstance(batch, int):
        raise InvalidModel(f"GatherND {node.id!r}: batch_dims must be an integer")

    def run(x: Array, indices: Array) -> Array:
        depth = indices.shape[-1]
        lead: tuple[Array, ...] = np.indices(indices.shape[:batch], sparse=True)
        extra = indices.ndim - 1 - batch
        front = [each.reshape(each.shape + (1,) * extra) for each in lead]
        y: Array = x[(*front, *_places(node, x, indices, batch, depth))]
        return y

    return run


def _places(node: Node, x: Array, indices: Array, batch: int, depth: int) -> list[Array]:
    if batch + depth > x.ndim:
        raise EngineError(f"{node.op} {node.id!r}: indices of {depth} places in rank {x.ndim}")
    return [_inside(node, indices[..., i], x.shape[batch + i]) for i in range(depth)]


def scatter_nd(node: Node, setting: Setting) -> Callable[..., Array]:
    """A copy of x with ``y[indices[i]] = updates[i]``, or added, multiplied, ...

    Source:
        ONNX ScatterND-11 to -18.
    """
    put = _put(node)

    def run(x: Array, indices: Array, updates: Array) -> Array:
        y = x.copy()
        put(y, tuple(_places(node, x, indices, 0, indices.shape[-1])), updates)
        return y

    return run


def _put(node: Node) -> Callable[[Array, tuple[Array, ...], Array], None]:
    name = node.attributes.get("reduction", "none")
    if name == "none":
        return lambda y, places, updates: y.__setitem__(places, updates)
    if name not in _REDUCE:
        raise InvalidModel(
            f"{node.op} {node.id!r}: reduction {name!r}; known: {', '.join(_REDUCE)}"
        )
    return _REDUCE[str(name)].at


OPERATORS = (
    operator("Gather", gather, "axis", inputs=2),
    operator("GatherElements", gather_elements, "axis", inputs=2, since=11),
    operator("GatherND", gather_nd, "batch_dims", inputs=2, since=11),
    operator("ScatterElements", scatter_elements, "axis reduction", inputs=3, since=11),
    operator("ScatterND", scatter_nd, "reduction", inputs=3, since=11),
)
