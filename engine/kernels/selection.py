"""Operators that choose elements by their order: ArgMax, ArgMin, TopK, Hardmax; and NonZero."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Node
from engine.kernels.operator import Kernel, Setting, operator
from engine.kernels.pooling import CHUNK

Find = Callable[..., Array]


def checked_axis(node: Node, x: Array, axis: int) -> int:
    """An axis, non-negative; EngineError where the tensor does not have it."""
    if not -x.ndim <= axis < x.ndim:
        raise EngineError(f"{node.op} {node.id!r}: axis {axis} of a tensor of shape {x.shape}")
    return axis % x.ndim


def read_axis(node: Node, default: int) -> int:
    """The attribute ``axis``, checked to be an integer."""
    axis = node.attributes.get("axis", default)
    if not isinstance(axis, int):
        raise InvalidModel(f"{node.op} {node.id!r}: axis must be an integer, got {axis!r}")
    return axis


def extreme(find: Find) -> Callable[[Node, Setting], Callable[..., Array]]:
    """The int64 index of an extreme along ``axis``; of equal ones the first, or the last.

    Source:
        ONNX ArgMax-1, -11, -12, -13 and ArgMin.
    """

    def build(node: Node, setting: Setting) -> Callable[..., Array]:
        axis, keep = read_axis(node, 0), bool(node.attributes.get("keepdims", 1))
        last = bool(node.attributes.get("select_last_index", 0))

        def run(x: Array) -> Array:
            along = checked_axis(node, x, axis)
            if not x.shape[along]:
                raise EngineError(
                    f"{node.op} {node.id!r}: axis {axis} of shape {x.shape} is empty"
                )
            if not last:
                return np.asarray(find(x, axis=along, keepdims=keep), np.int64)
            found = find(np.flip(x, along), axis=along, keepdims=keep)
            return np.asarray(x.shape[along] - 1 - found, np.int64)

        return run

    return build


@dataclass(frozen=True, slots=True)
class TopKParameters:
    """One TopK; ``on_codes`` where a rule put it on codes."""

    node: str
    on_codes: bool
    indices: bool


def indices_as_found(indices: Array, p: TopKParameters) -> Array:
    """Where the values lie."""
    return indices


def top_k(node: Node, setting: Setting) -> Kernel:
    """The k largest (or smallest) along ``axis``, sorted, and their indices.

    Of equal elements the one with the lower index comes first; NaN counts as larger than any
    number. Unsorted output is sorted too. K is an attribute below opset 10.

    Source:
        ONNX TopK-1, -10, -11, -24.
    """
    axis = read_axis(node, -1)
    most, fixed = bool(node.attributes.get("largest", 1)), node.attributes.get("k")
    if (fixed is None) == (len(node.inputs) < 2):
        raise InvalidModel(
            f"TopK {node.id!r} needs k: an attribute below opset 10, else an input"
        )
    p = TopKParameters(node.id, "x_dtype" in node.attributes, len(node.outputs) == 2)
    told = setting.stage("top_k.indices", indices_as_found)

    def run(x: Array, given: Array | None = None) -> tuple[Array, ...]:
        along = checked_axis(node, x, axis)
        if given is not None and given.size != 1:
            raise EngineError(
                f"TopK {node.id!r}: k has shape {given.shape}; it must hold one element"
            )
        k = int(fixed if given is None else given.reshape(()))  # type: ignore[arg-type]
        if not 0 <= k <= x.shape[along]:
            raise EngineError(f"TopK {node.id!r}: k is {k} on axis {axis} of shape {x.shape}")
        rows = np.moveaxis(x, along, -1)
        order = _first(rows.reshape(-1, rows.shape[-1]), k, descending if most else ascending)
        order = order.reshape(*rows.shape[:-1], k)
        indices = np.ascontiguousarray(np.moveaxis(order, -1, along))
        return (np.take_along_axis(x, indices, along), told(indices, p))[: len(node.outputs)]

    return Kernel(run, parameters=p)


def _first(rows: Array, k: int, sort: Callable[[Array], Array]) -> Array:
    """The first k indices of each sorted row, a few rows at a time: (rows, k)."""
    order = np.empty((len(rows), k), np.int64)
    step = max(1, CHUNK // max(rows.shape[-1], 1))
    for start in range(0, len(rows), step):
        order[start : start + step] = sort(rows[start : start + step])[:, :k]
    return order


def ascending(x: Array) -> Array:
    """Indices that sort the last axis upward, equal elements by index."""
    return np.argsort(x, axis=-1, kind="stable")


def descending(x: Array) -> Array:
    """Indices that sort the last axis downward, equal elements by index."""
    upward = np.argsort(x[..., ::-1], axis=-1, kind="stable")
    order: Array = x.shape[-1] - 1 - upward[..., ::-1]
    return order


def hardmax(node: Node, setting: Setting) -> Callable[..., Array]:
    """1 at the first largest element along ``axis``, 0 elsewhere.

    Below opset 13 everything from ``axis`` on is one axis.

    Source:
        ONNX Hardmax-1, -11, -13.
    """
    flat = setting.graph.opset < 13
    axis = read_axis(node, 1 if flat else -1)

    def run(x: Array) -> Array:
        if flat and axis == x.ndim:
            return np.ones_like(x)
        along = checked_axis(node, x, axis)
        rows = x.reshape(*x.shape[:along], -1) if flat else x
        y = np.zeros_like(rows)
        if rows.size:
            where = np.expand_dims(rows.argmax(axis=along), along)
            np.put_along_axis(y, where, 1, along)
        return y.reshape(x.shape)

    return run


def non_zero(node: Node, setting: Setting) -> Callable[..., Array]:
    """The indices of the elements that are not zero: (rank, number), in row-major order.

    Source:
        ONNX NonZero-9, -13.
    """
    return lambda x: np.array(np.atleast_1d(x).nonzero(), np.int64)[: max(x.ndim, 0)]


OPERATORS = (
    operator("ArgMax", extreme(np.argmax), "axis keepdims select_last_index"),
    operator("ArgMin", extreme(np.argmin), "axis keepdims select_last_index"),
    operator("TopK", top_k, "axis k largest sorted", inputs=(1, 2), outputs=(1, 2)),
    operator("Hardmax", hardmax, "axis"),
    operator("NonZero", non_zero, since=9),
)
