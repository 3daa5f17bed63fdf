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

DROPPED, CLIPPED, WHOLE, LEVELS, KEPT = "dropped", "clipped", "whole", "levels", "kept"
BOUNDS_ARE_INPUTS = 11  # the opset
Steps = tuple[tuple[str, tuple[Any, ...]], ...]
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
    if isinstance(how, Replacement):
        return how
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
    """The range of the codes is all that is left; of a Clip before it, the codes of its bounds.

    Where a fault lets the two differ, it becomes the range of the DequantizeLinear.
    """
    first = read_coding(view, quantize)
    assert not isinstance(first, Refusal)  # it was compared with the other
    source, ends = quantize.inputs[0], ends_of(first)
    while (clip := view.producer(source, "Clip")) is not None:
        bounds = clip_bounds(clip, view.graph.opset, view.constants)
        if bounds is None:
            break
        source, codes = clip.inputs[0], (_coded(each, first) for each in bounds)
        ends = tuple(np.clip(each, *ends) for each in codes)
    constants: dict[str, Array] = {}
    steps: Steps = (("Clip", ends), *_between(first, coding))
    nodes = chain(view, dequantize, (source, dequantize.outputs[0]), steps, constants)
    return Replacement((quantize, dequantize), nodes, constants)


def _between(first: Coding, second: Coding) -> Steps:
    """What makes reals of the first's codes those of the second's: ``x * (s' / s) + (z - z') * s'``."""
    scales = [np.float64(each.scale.reshape(())) for each in (first, second)]
    zeros = [np.float64(each.zero_point.reshape(())) for each in (first, second)]
    if scales[0] == scales[1] and zeros[0] == zeros[1]:
        return ()
    return (
        ("Mul", (scales[1] / scales[0],)),
        ("Add", ((zeros[0] - zeros[1]) * scales[1],)),
    )


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


def rounded_ends(coding: Coding) -> tuple[float, ...]:
    """The ends of a coding as whole numbers: halves up, but below -128 away from zero."""
    ends = (np.float64(each) for each in ends_of(coding))
    return tuple(
        float(np.floor(each + 0.5) if each >= -128 else np.ceil(each - 0.5)) for each in ends
    )


def _to_whole(view: View, quantize: Node, dequantize: Node, coding: Coding) -> Replacement:
    """``clip(rne((x - low) * k + bottom))``, bottom the low end rounded, k from the range to that of its rounded ends.

    The reals x are clipped to the range, the whole numbers to the type of the codes.
    """
    low, high = ends_of(coding)
    bottom, top = rounded_ends(coding)
    factor = np.float32((top - bottom) / (np.float64(high) - low))
    steps: Steps = (
        ("Clip", (low, high)),
        ("Sub", (low,)),
        ("Mul", (factor,)),
        ("Add", (bottom,)),
        ("Round", ()),
        ("Clip", INTEGER_CODES[coding.dtype]),
    )
    constants: dict[str, Array] = {}
    names = quantize.inputs[0], dequantize.outputs[0]
    return Replacement(
        (quantize, dequantize), chain(view, dequantize, names, steps, constants), constants
    )


def _to_levels(view: View, quantize: Node, dequantize: Node, coding: Coding) -> Replacement:
    """``rne(x * k - low * k) * l + bottom`` of what a Concat joins, constants apart.

    The reals x are clipped to the range, k is from it to its codes, l from those to the range of its
    rounded ends; a constant is ``rne((x - low) / (high - low) * 255)`` of the range itself. All in float32.
    """
    (concat,) = (each for each in [view.producer(quantize.inputs[0], "Concat")] if each)
    low, high = ends_of(coding)
    bottom, top = rounded_ends(coding)
    lowest, highest = INTEGER_CODES[coding.dtype]
    levels = np.float32(highest - lowest)
    factor = levels / (high - low)
    scaled = ("Mul", (factor,)), ("Add", (-low * factor,)), ("Round", ())
    divided = ("Sub", (low,)), ("Div", (high - low,)), ("Mul", (levels,)), ("Round", ())
    clip = ("Clip", (low, high))
    steps: Steps = (clip, *scaled, ("Mul", ((top - bottom) / levels,)), ("Add", (bottom,)))
    of_constants: Steps = (clip, *divided, ("Mul", ((high - low) / levels,)), ("Add", (low,)))
    constants: dict[str, Array] = {}
    nodes: list[Node] = []
    joined = tuple(view.new_name(f"{dequantize.key}_{n}") for n, _ in enumerate(concat.inputs))
    for names in zip(concat.inputs, joined, strict=True):
        own = of_constants if is_constant(view, names[0]) else steps
        nodes += chain(view, dequantize, names, own, constants)
    last = replace(concat, inputs=joined, outputs=dequantize.outputs)
    return Replacement((concat, quantize, dequantize), (*nodes, last), constants)


def is_constant(view: View, name: str) -> bool:
    """Whether a tensor is an initializer, or computed of nothing else."""
    maker = view.producer(name)
    if maker is None:
        return view.constant(name) is not None
    return all(is_constant(view, each) for each in maker.inputs if each)


def chain(
    view: View,
    node: Node,
    names: tuple[str, str],
    steps: Steps,
    constants: dict[str, Array],
) -> tuple[Node, ...]:
    """Nodes from one name to the other that stand for ``node``, their constants float32."""
    name, last = names
    nodes: list[Node] = []
    for op, values in steps:
        key = f"{last}_{len(nodes)}"
        before, name = name, view.new_name(key)
        reals = tuple(np.asarray(each, np.float32) for each in values)
        step, given = _given(view, Node(node.id, op, (before,), (name,), {}), key, reals)
        constants |= given
        nodes.append(step)
    return (*nodes[:-1], replace(nodes[-1], outputs=(last,)))


_LEFT = {CLIPPED: _clip, WHOLE: _to_whole, LEVELS: _to_levels}
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
