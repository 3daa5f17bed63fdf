"""ArgMax, ArgMin and TopK on sets of values: choices by order. ONNX ArgMax-13, TopK-11."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.pools import monotone
from harness.oracle.values import Codes, Reals, Silent, Value


def arg_max(node: Node, inputs: Inputs) -> Codes:
    """The index of the largest (smallest) element, the first or last of equal ones.

    Where another element may be larger than the largest, any index from the first to the last of
    those that may be it is allowed.
    """
    x = inputs.value(0)
    axis = int(node.attributes.get("axis", 0))
    low, centre, high = _ends(x, falls=node.op == "ArgMin")
    winners = centre == centre.max(axis=axis, keepdims=True)
    candidates = high >= low.max(axis=axis, keepdims=True)
    best = _position(winners, axis, last=bool(node.attributes.get("select_last_index", 0)))
    if x.is_point:
        doubtful = (candidates & ~winners).any(axis=axis)
    else:
        doubtful = np.count_nonzero(candidates, axis=axis) > 1
    first, final = best, best
    if doubtful.any():
        first = np.where(doubtful, _position(candidates, axis, last=False), best)
        final = np.where(doubtful, _position(candidates, axis, last=True), best)
    if node.attributes.get("keepdims", 1):
        first, best, final = (np.expand_dims(each, axis) for each in (first, best, final))
    return Codes(np.dtype(np.int64), first, best, final, best)


def _ends(x: Value, *, falls: bool) -> tuple[Array, Array, Array]:
    """The ends that float32 roundings leave to each element, turned so that the best is largest."""
    low, high = x.low, x.high
    if isinstance(x, Reals):
        slack = x.roundings() * x.size()
        low, high = low - slack, high + slack
    return (-high, -x.centre, -low) if falls else (low, x.centre, high)


def _position(found: Array, axis: int, *, last: bool) -> Array:
    """Where the first or last True lies."""
    turned = np.flip(found, axis) if last else found
    place: Array = turned.argmax(axis=axis).astype(np.float64)
    end: Array = found.shape[axis] - 1 - place
    return end if last else place


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

    return monotone(x, ranked), _ranks(x, axis, count, falls=not largest)


def _ranks(x: Value, axis: int, count: int, *, falls: bool) -> Codes:
    """The indices of the largest; in a row where floats may be ordered otherwise, any index."""
    low, centre, high = _ends(x, falls=falls)
    order = np.argsort(-centre, axis=axis, kind="stable")
    kept = np.take(order, range(count), axis).astype(np.float64)
    ends = [np.take_along_axis(each, order, axis) for each in (low, centre, high)]
    before, after = ((slice(None),) * (axis % x.centre.ndim) + (s,) for s in _NEIGHBOURS)
    # The highest end of all that follow reaches the lowest end of what stands before them.
    top = np.flip(np.maximum.accumulate(np.flip(ends[2], axis), axis), axis)
    doubtful = top[after] >= ends[0][before]
    if x.is_point:
        doubtful &= ends[1][after] < ends[1][before]
    doubtful = np.take(doubtful, range(min(count, doubtful.shape[axis])), axis)
    rows = doubtful.any(axis=axis, keepdims=True)
    if not rows.any():
        return Codes(np.dtype(np.int64), kept, kept, kept, kept)
    most = float(centre.shape[axis] - 1)
    low, high = np.where(rows, 0.0, kept), np.where(rows, most, kept)
    return Codes(np.dtype(np.int64), low, kept, high, kept)


_NEIGHBOURS = (slice(None, -1), slice(1, None))

OPERATORS: Mapping[str, Callable[[Node, Inputs], Value | tuple[Value, ...]]] = (
    MappingProxyType({"ArgMax": arg_max, "ArgMin": arg_max, "TopK": top_k})
)
