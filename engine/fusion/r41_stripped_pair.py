"""R41: ``Q -> [move ->] D`` with identical parameters becomes nothing, where nothing else fits any more.

X3: the float tensor is no longer rounded to steps nor clipped to the range of the codes. For models
whose last pairs only simulate quantization. The codes must have no other reader (G3), the tensor
must keep its type (G7). What moves codes of one scale between them moves reals.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r40_equal_pair import Coding, read_coding, why_different
from engine.ir import Array, Node
from engine.kernels.elementwise import clip_bounds
from engine.kernels.number_types import INTEGER_CODES

DROPPED, CLIPPED, WHOLE, KEPT = "dropped", "clipped", "whole", "kept"
BOUNDS_ARE_INPUTS = 11  # the opset
_MOVES = frozenset(["Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"])


def match(view: View, dequantize: Node) -> Answer:
    """A DequantizeLinear behind the QuantizeLinear that it undoes."""
    move = view.producer(dequantize.inputs[0])
    if move is None or move.op not in _MOVES:
        move = None
    codes = move.inputs[0] if move else dequantize.inputs[0]
    quantize = view.producer(codes, "QuantizeLinear")
    if quantize is None:
        return None
    refusal = why_different(view, quantize, dequantize) or _why_needed(view, quantize)
    refusal = refusal or (single_consumer(view, move.outputs[0]) if move else None)
    if refusal:
        return refusal
    coding, source = read_coding(view, dequantize), view.code_dtype(quantize.inputs[0])
    if isinstance(coding, Refusal) or coding.real != source:
        return Refusal(
            "G7", f"{quantize.id} reads {source}, {dequantize.id} gives another type"
        )
    how = view.by_stage("rewrite.stripped", dropped, view, (quantize, dequantize), coding)
    if how == KEPT:
        return Refusal("G7", f"{dequantize.id} has {coding.dtype} codes")
    if how in _LEFT and move is None:
        return _LEFT[how](view, quantize, dequantize, coding)
    if move is None:
        node = Node(dequantize.id, "Identity", quantize.inputs[:1], dequantize.outputs, {})
        return Replacement((quantize, dequantize), (node,))
    if coding.scale.size != 1:
        return Refusal("G9", f"{move.id} moves codes of more than one scale")
    inputs = (quantize.inputs[0], *move.inputs[1:])
    moved = Node(move.id, move.op, inputs, dequantize.outputs, move.attributes)
    return Replacement((quantize, move, dequantize), (moved,))


def _why_needed(view: View, quantize: Node) -> Refusal | None:
    """G3 of the codes; a fault may remove it where all that read them are the same node, written again."""
    codes = quantize.outputs[0]
    first, *others = view.users(codes)
    same = all(
        (each.op, each.inputs, each.attributes) == (first.op, first.inputs, first.attributes)
        for each in others
    )
    if others and same and not view.is_output(codes):
        return view.refuse("G3", f"{codes!r} has {len(others) + 1} readers", "alike")
    return single_consumer(view, codes)


def dropped(view: View, pair: tuple[Node, Node], coding: Coding) -> str:
    """What becomes of a pair of these codes: nothing is left of it."""
    return DROPPED


def _clip(view: View, quantize: Node, dequantize: Node, coding: Coding) -> Replacement:
    """The range of the codes is all that is left; of a Clip before it, the codes of its bounds."""
    source, ends = quantize.inputs[0], ends_of(coding)
    while (clip := view.producer(source, "Clip")) is not None:
        bounds = clip_bounds(clip, view.graph.opset, view.constants)
        if bounds is None:
            break
        source, codes = clip.inputs[0], (_coded(each, coding) for each in bounds)
        ends = tuple(np.clip(each, *ends) for each in codes)
    node = Node(dequantize.id, "Clip", (source,), dequantize.outputs, {})
    node, constants = _given(view, node, dequantize.key, ends)
    return Replacement((quantize, dequantize), (node,), constants)


def _coded(bound: float, coding: Coding) -> Array:
    """What a real is in whole steps."""
    scale = coding.scale.reshape(())
    return np.asarray(np.rint(np.float32(bound) / scale) * scale)


def _given(
    view: View, node: Node, key: str, values: tuple[Array, ...]
) -> tuple[Node, dict[str, Array]]:
    """The node with more inputs, and these; the bounds of a Clip were attributes before opset 11."""
    if node.op == "Clip" and view.graph.opset < BOUNDS_ARE_INPUTS:
        ends = dict(zip(("min", "max"), map(float, values), strict=True))
        return replace(node, attributes=ends), {}
    named = {view.new_name(f"{key}_{n}"): each for n, each in enumerate(values)}
    return replace(node, inputs=(*node.inputs, *named)), named


def ends_of(coding: Coding) -> tuple[Array, ...]:
    """The reals of the lowest and of the highest code."""
    zero_point = coding.zero_point.reshape(()).astype(np.float32)
    return tuple(
        np.asarray((np.float32(each) - zero_point) * coding.scale.reshape(()))
        for each in INTEGER_CODES[coding.dtype]
    )


def _to_whole(view: View, quantize: Node, dequantize: Node, coding: Coding) -> Replacement:
    """``clip(rne((x - low) * k + floor(low + 1/2)))``, k from the range to that of its rounded ends.

    The reals x are clipped to the range, the whole numbers to the type of the codes.
    """
    low, high = ends_of(coding)
    bottom, top = (np.floor(np.float64(each) + 0.5) for each in (low, high))
    factor = np.float32((top - bottom) / (np.float64(high) - low))
    steps: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("Clip", (low, high)),
        ("Sub", (low,)),
        ("Mul", (factor,)),
        ("Add", (bottom,)),
        ("Round", ()),
        ("Clip", INTEGER_CODES[coding.dtype]),
    )
    constants: dict[str, Array] = {}
    nodes: list[Node] = []
    name = quantize.inputs[0]
    for op, values in steps:
        key = f"{dequantize.key}_{len(nodes)}"
        before, name = name, view.new_name(key)
        node = Node(dequantize.id, op, (before,), (name,), {})
        reals = tuple(np.asarray(each, np.float32) for each in values)
        node, given = _given(view, node, key, reals)
        constants |= given
        nodes.append(node)
    last = replace(nodes[-1], outputs=dequantize.outputs)
    return Replacement((quantize, dequantize), (*nodes[:-1], last), constants)


_LEFT = {CLIPPED: _clip, WHOLE: _to_whole}
"""What is left of a pair, where something is."""


RULE = Rule(
    "R41",
    "a pair that only simulates quantization",
    "X3",
    ("DequantizeLinear",),
    match,
    opt_in=True,
    last=True,
)
