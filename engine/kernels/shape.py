"""Shapes: what is too large, and operators that make, ask or change them."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Node
from engine.kernels.operator import Setting, operator

LARGEST = 2**31
"""Elements of a tensor: more than that no model of ours needs, and a few bytes can ask for it."""


def checked_shape(node: Node, shape: Sequence[int] | Array) -> tuple[int, ...]:
    """The shape, unless a dimension is negative or the tensor absurdly large.

    Raises:
        EngineError: it is.
    """
    dims = tuple(int(each) for each in shape)
    if min(dims, default=0) < 0 or math.prod(dims) > LARGEST:
        raise EngineError(
            f"{node.op} {node.id!r}: shape {list(dims)}; dimensions must not be negative, nor their "
            f"product above {LARGEST}"
        )
    return dims


def axes_of(node: Node, axes: Sequence[int] | Array, rank: int) -> tuple[int, ...]:
    """Axes counted from the front, each once.

    Raises:
        EngineError: one is outside the rank, or twice there.
    """
    given = [int(each) for each in np.ravel(np.asarray(axes, np.int64))]
    if any(not -rank <= each < rank for each in given):
        raise EngineError(f"{node.op} {node.id!r}: axes {given} of a tensor of rank {rank}")
    found = tuple(each % rank for each in given)
    if len(set(found)) != len(found):
        raise EngineError(f"{node.op} {node.id!r}: axes {given} name one axis twice")
    return found


def shape_of(node: Node, setting: Setting) -> Callable[..., Array]:
    """The shape, int64, from ``start`` to ``end``."""
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return lambda x: np.array(x.shape[start:end], np.int64)


def size_of(node: Node, setting: Setting) -> Callable[..., Array]:
    """The number of elements, int64."""
    return lambda x: np.array(x.size, np.int64)


def constant_of_shape(node: Node, setting: Setting) -> Callable[..., Array]:
    """A tensor of one value, 0 in float32 without the attribute."""
    value = np.asarray(node.attributes.get("value", np.zeros(1, np.float32)))
    if value.size != 1:
        raise InvalidModel(
            f"ConstantOfShape {node.id!r}: value has shape {value.shape}, not one element"
        )
    filler = value.reshape(())
    return lambda shape: np.full(checked_shape(node, shape), filler, filler.dtype)


def range_of(node: Node, setting: Setting) -> Callable[..., Array]:
    """``start, start + delta, ...`` before ``limit``.

    Source:
        ONNX Range-11.
    """

    def run(start: Array, limit: Array, delta: Array) -> Array:
        if not delta.all():
            raise EngineError(f"Range {node.id!r}: delta is 0")
        count = max(math.ceil((limit.item() - start.item()) / delta.item()), 0)
        (count,) = checked_shape(node, (count,))
        values: Array = start + np.arange(count) * delta
        return values.astype(start.dtype)

    return run


def expand(node: Node, setting: Setting) -> Callable[..., Array]:
    """``x`` broadcast against a shape, both ways.

    Source:
        ONNX Expand-13.
    """

    def run(x: Array, shape: Array) -> Array:
        wanted = checked_shape(node, shape)
        whole = checked_shape(node, np.broadcast_shapes(x.shape, wanted))
        return np.broadcast_to(x, whole).copy()

    return run


def tile(node: Node, setting: Setting) -> Callable[..., Array]:
    """``x`` repeated along each axis."""

    def run(x: Array, repeats: Array) -> Array:
        if repeats.shape != (x.ndim,):
            raise EngineError(f"Tile {node.id!r}: {repeats.size} repeats for rank {x.ndim}")
        checked_shape(node, [n * int(r) for n, r in zip(x.shape, repeats, strict=True)])
        return np.tile(x, repeats.tolist())

    return run


def squeeze(node: Node, setting: Setting) -> Callable[..., Array]:
    """``x`` without axes of length 1: those named, or all.

    Source:
        ONNX Squeeze-1, -11 (attribute), -13 (input).
    """
    fixed = node.attributes.get("axes")

    def run(x: Array, axes: Array | None = None) -> Array:
        given = fixed if axes is None else axes
        if given is None:
            return x.reshape([n for n in x.shape if n != 1])
        gone = axes_of(node, given, x.ndim)  # type: ignore[arg-type]
        if any(x.shape[i] != 1 for i in gone):
            raise EngineError(
                f"Squeeze {node.id!r}: axes {gone} of {x.shape} are not all of length 1"
            )
        return x.reshape([n for i, n in enumerate(x.shape) if i not in gone])

    return run


def unsqueeze(node: Node, setting: Setting) -> Callable[..., Array]:
    """``x`` with new axes of length 1; negative ones count from the end of the result.

    Source:
        ONNX Unsqueeze-1, -11 (attribute), -13 (input).
    """
    fixed = node.attributes.get("axes")

    def run(x: Array, axes: Array | None = None) -> Array:
        given = fixed if axes is None else axes
        if given is None:
            raise InvalidModel(f"Unsqueeze {node.id!r} has no axes")
        count = int(np.size(given))  # type: ignore[arg-type]
        added = axes_of(node, given, x.ndim + count)  # type: ignore[arg-type]
        return np.expand_dims(x, added)

    return run


OPERATORS = (
    operator("Shape", shape_of, "start end"),
    operator("Size", size_of),
    operator("ConstantOfShape", constant_of_shape, "value", since=9),
    operator("Range", range_of, "stash_type", inputs=3, since=11),
    operator("Expand", expand, inputs=2, since=8),
    operator("Tile", tile, inputs=2, since=6),
    operator("Squeeze", squeeze, "axes", inputs=(1, 2)),
    operator("Unsqueeze", unsqueeze, "axes", inputs=(1, 2)),
)
