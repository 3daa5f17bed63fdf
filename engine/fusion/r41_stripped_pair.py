"""R41: ``Q -> [move ->] D`` with identical parameters becomes nothing, where nothing else fits any more.

X3: the float tensor is no longer rounded to steps nor clipped to the range of the codes. For models
whose last pairs only simulate quantization. The codes must have no other reader (G3), the tensor
must keep its type (G7). What moves codes of one scale between them moves reals.
"""

import numpy as np

from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r40_equal_pair import Coding, read_coding, why_different
from engine.ir import Node
from engine.kernels.number_types import INTEGER_CODES

DROPPED, CLIPPED, KEPT = "dropped", "clipped", "kept"
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
    refusal = why_different(view, quantize, dequantize) or single_consumer(
        view, quantize.outputs[0]
    )
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
    if how == CLIPPED and move is None:
        return _clip(view, quantize, dequantize, coding)
    if move is None:
        node = Node(dequantize.id, "Identity", quantize.inputs[:1], dequantize.outputs, {})
        return Replacement((quantize, dequantize), (node,))
    if coding.scale.size != 1:
        return Refusal("G9", f"{move.id} moves codes of more than one scale")
    inputs = (quantize.inputs[0], *move.inputs[1:])
    moved = Node(move.id, move.op, inputs, dequantize.outputs, move.attributes)
    return Replacement((quantize, move, dequantize), (moved,))


def dropped(view: View, pair: tuple[Node, Node], coding: Coding) -> str:
    """What becomes of a pair of these codes: nothing is left of it."""
    return DROPPED


def _clip(view: View, quantize: Node, dequantize: Node, coding: Coding) -> Replacement:
    """The range of the codes is all that is left."""
    lowest, highest = INTEGER_CODES[coding.dtype]
    zero_point = coding.zero_point.reshape(()).astype(np.float32)
    names = [view.new_name(f"{dequantize.key}_{each}") for each in ("low", "high")]
    ends = [
        (np.float32(each) - zero_point) * coding.scale.reshape(())
        for each in (lowest, highest)
    ]
    constants = dict(zip(names, map(np.asarray, ends), strict=True))
    node = Node(dequantize.id, "Clip", (quantize.inputs[0], *names), dequantize.outputs, {})
    return Replacement((quantize, dequantize), (node,), constants)


RULE = Rule(
    "R41",
    "a pair that only simulates quantization",
    "X3",
    ("DequantizeLinear",),
    match,
    opt_in=True,
    last=True,
)
