"""ArgMax, ArgMin and TopK on sets of values: choices by order. ONNX ArgMax-13, TopK-11."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.pools import monotone
from harness.oracle.values import Codes, Silent, Value, point_codes


def arg_max(node: Node, inputs: Inputs) -> Codes:
    """The index of the largest (smallest) element; any that may be it is allowed, as an interval."""
    x = inputs.value(0)
    axis = int(node.attributes.get("axis", 0))
    sign = 1.0 if node.op == "ArgMax" else -1.0
    low, high = (x.low * sign, x.high * sign) if sign > 0 else (-x.high, -x.low)
    keep, last = (
        bool(node.attributes.get("keepdims", 1)),
        node.attributes.get("select_last_index", 0),
    )
    length = x.centre.shape[axis]
    centre = _first(x.centre * sign, axis, bool(last), keep)
    if x.is_point:
        return Codes(np.dtype(np.int64), centre, centre, centre, centre)
    candidates = high >= low.max(axis=axis, keepdims=True)
    first = candidates.argmax(axis=axis)
    final = length - 1 - np.flip(candidates, axis).argmax(axis=axis)
    if keep:
        first, final = np.expand_dims(first, axis), np.expand_dims(final, axis)
    return Codes(
        np.dtype(np.int64), first.astype(np.float64), centre, final.astype(np.float64), centre
    )


def _first(x: Array, axis: int, last: bool, keep: bool) -> Array:
    if last:
        found = x.shape[axis] - 1 - np.flip(x, axis).argmax(axis=axis)
    else:
        found = x.argmax(axis=axis)
    wide: Array = np.expand_dims(found, axis) if keep else found
    return wide.astype(np.float64)


def top_k(node: Node, inputs: Inputs) -> tuple[Value, ...]:
    """The k largest (smallest), sorted; of equal ones the one with the lower index. ONNX TopK-11."""
    x = inputs.value(0)
    count = int(inputs.array(1).reshape(())) if node.opset >= 10 else int(node.attributes["k"])
    axis = int(node.attributes.get("axis", -1))
    largest = bool(node.attributes.get("largest", 1))
    if not node.attributes.get("sorted", 1):
        raise Silent("unsorted results may come in any order", node.where)

    def ranked(array: Array) -> Array:
        order = np.sort(-array if largest else array, axis=axis, kind="stable")
        taken = np.take(order, range(count), axis)
        return -taken if largest else taken

    values = monotone(x, ranked)
    if not x.is_point:
        length = x.centre.shape[axis]
        anything = np.zeros(values.centre.shape)
        indices = Codes(
            np.dtype(np.int64), anything, anything, anything + length - 1, anything
        )
        return values, indices
    order = np.argsort(-x.centre if largest else x.centre, axis=axis, kind="stable")
    return values, point_codes(np.take(order, range(count), axis).astype(np.int64))


OPERATORS: Mapping[str, Callable[[Node, Inputs], Value | tuple[Value, ...]]] = (
    MappingProxyType({"ArgMax": arg_max, "ArgMin": arg_max, "TopK": top_k})
)
