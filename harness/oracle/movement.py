"""Operators that move values, choose between them, or know them from shapes alone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.elementwise import move
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.standard import evaluate, moved_places
from harness.oracle.values import Codes, Reals, Silent, Value, point_codes, point_reals

Values = tuple[Value, ...]


def mover(node: Node, inputs: Inputs) -> Values:
    """Every output element is an element of the first input: Slice, Split, Gather, Tile, ..."""
    x = inputs.value(0)
    others = [inputs.optional(i) for i in range(1, len(node.inputs))]
    places = moved_places(node, x.centre.shape, others)
    return tuple(taken(x, each) for each in places)


def taken(x: Value, places: Array) -> Value:
    """The elements of a set that lie at these flat indices."""

    def take(array: Array) -> Array:
        taken: Array = np.ravel(array)[places]
        return taken

    return move(x, take)


def pad(node: Node, inputs: Inputs) -> Values:
    """As ``mover``, with one more element that borders may be made of. ONNX Pad-2 to -25."""
    x = inputs.value(0)
    value = inputs.optional(2)
    if value is None:
        value = np.asarray(node.attributes.get("value", 0.0), np.float32)
    shape = x.centre.shape
    index = np.asarray(-1, np.int64)
    plain = Node(
        node.id,
        node.op,
        node.opset,
        node.inputs,
        node.outputs,
        {name: each for name, each in node.attributes.items() if name != "value"}
        | ({"value": -1.0} if node.opset < 11 else {}),
    )
    others = [inputs.optional(1), index, inputs.optional(3)] if node.opset >= 11 else []
    while others and others[-1] is None:
        others.pop()
    (places,) = moved_places(plain, shape, others)
    return (_with_border(x, places, float(value.reshape(()))),)


def _with_border(x: Value, places: Array, value: float) -> Value:
    def take(array: Array, border: float) -> Array:
        extended: Array = np.append(np.ravel(array), border)
        return extended[places]

    centre = take(x.centre, value)
    low = centre if x.is_point else take(x.low, value)
    high = centre if x.is_point else take(x.high, value)
    if isinstance(x, Codes):
        other = centre if x.other is x.centre else take(x.other, value)
        return Codes(x.dtype, low, centre, high, other)
    border = np.spacing(np.float32(abs(value)) or np.float32(1)) if value else 1.0
    grid = take(np.broadcast_to(x.grid, x.centre.shape), float(border))
    quantum = x.quantum
    if quantum is not None:
        quantum = take(np.broadcast_to(quantum, x.centre.shape), float(np.min(quantum)))
    return replace(
        x,
        low=low,
        centre=centre,
        high=high,
        grid=grid,
        quantum=quantum,
        origin=None,
        other=None if x.other is None else take(x.other, value),
    )


def where(node: Node, inputs: Inputs) -> Value:
    """``a`` where the condition holds, else ``b``; the condition must be known. ONNX Where-9, -16."""
    return choose(inputs.array(0), inputs.value(1), inputs.value(2), node)


def choose(condition: Array, a: Value, b: Value, node: Node) -> Value:
    """Element by element one of two sets, broadcast."""
    if isinstance(a, Codes) and isinstance(b, Codes) and a.dtype == b.dtype:
        parts = [np.where(condition, *each) for each in _ends(a, b)]
        other = np.where(condition, a.other, b.other)
        low, centre, high = parts
        if a.is_point and b.is_point:
            low = high = centre
        return Codes(a.dtype, low, centre, high, other)
    if not isinstance(a, Reals) or not isinstance(b, Reals):
        raise Silent("its branches have different types", node.where)
    low, centre, high = (np.where(condition, *each) for each in _ends(a, b))
    if a.is_point and b.is_point:
        low = high = centre
    quantum = None
    if a.quantum is not None and b.quantum is not None:
        quantum = np.where(condition, a.quantum, b.quantum)
    grid = np.where(condition, a.grid, b.grid)
    return Reals(low, centre, high, max(a.relative, b.relative), grid, quantum)


def _ends(a: Value, b: Value) -> tuple[tuple[Array, Array], ...]:
    return (a.low, b.low), (a.centre, b.centre), (a.high, b.high)


def known(node: Node, inputs: Inputs) -> Values:
    """Operators whose result follows exactly from known arrays: Shape, Range, Equal, Not, ..."""
    if node.op in ("Shape", "Size"):
        arrays: list[Array | None] = [np.empty(inputs.value(0).centre.shape, np.int8)]
    else:
        arrays = [inputs.optional(i) for i in range(len(node.inputs))]
    return tuple(point_of(each, node) for each in evaluate(node, arrays))


def point_of(array: Array, node: Node) -> Value:
    """The set of one known tensor."""
    if array.dtype == np.float32:
        return point_reals(array)
    if array.dtype.kind in "iub":
        return point_codes(array)
    raise Silent(f"element type {array.dtype} is not judged", node.where)


OPERATORS: Mapping[str, Callable[[Node, Inputs], Value | Values]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "DepthToSpace",
                "Expand",
                "Gather",
                "GatherElements",
                "GatherND",
                "Slice",
                "SpaceToDepth",
                "Split",
                "Squeeze",
                "Tile",
                "Unsqueeze",
            ),
            mover,
        ),
        **dict.fromkeys(
            (
                *("And", "ConstantOfShape", "Equal", "Greater", "GreaterOrEqual", "Less"),
                *("LessOrEqual", "Not", "Or", "Range", "Shape", "Size", "Xor"),
            ),
            known,
        ),
        "Pad": pad,
        "Where": where,
    }
)
