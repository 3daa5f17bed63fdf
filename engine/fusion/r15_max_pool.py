"""R15: ``D -> MaxPool | GlobalMaxPool -> Q`` with identical parameters is the pool of the codes.

``q -> fl(fl(q - z) * s)`` is strictly increasing for s > 0 (G6), so it keeps the place of every
maximum; the codes come back as in R40. Indices, where they are an output, stay what they are.
"""

import numpy as np

from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r01_conv import quantize_after
from engine.fusion.r40_equal_pair import Coding, read_coding, why_different, why_not_undone
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node

_LARGEST = float(np.finfo(np.float32).max)


def match(view: View, node: Node) -> Answer:
    """A pool that a QuantizeLinear follows."""
    quantize = quantize_after(view, node.outputs[0])
    return None if quantize is None else between_equal_pair(view, node, quantize)


def between_equal_pair(view: View, node: Node, quantize: Node) -> Replacement | Refusal:
    """An operator that chooses by order, put on the codes: G3, G5, G6."""
    if refusal := single_consumer(view, node.outputs[0]):
        return refusal
    dequantize = ordered_codes(view, node)
    if isinstance(dequantize, Refusal):
        return dequantize
    if refusal := (
        why_different(view, dequantize, quantize) or why_not_undone(view, dequantize, quantize)
    ):
        return refusal
    outputs = (quantize.outputs[0], *node.outputs[1:])
    return Replacement(
        (dequantize, node, quantize), (on_codes(view, node, dequantize, outputs),)
    )


def ordered_codes(view: View, node: Node) -> Node | Refusal:
    """G1, G2, G6, G7, G12: the DequantizeLinear in front, if it keeps the order of the codes."""
    dequantize = view.producer(node.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return Refusal(
            "pattern", f"input {node.inputs[0]!r} of {node.id} is not dequantized codes"
        )
    x = read_coding(view, dequantize)
    if isinstance(x, Refusal):
        return x
    refusal = _increasing(view, dequantize, x) or own_dequantize(view, dequantize)
    return refusal or dequantize


def _increasing(view: View, node: Node, x: Coding) -> Refusal | None:
    """One positive scale for integers of 8 or 16 bits, which stay apart and finite in float32."""
    reals = {str(x.real), str(x.scale.dtype)}
    if x.dtype.kind not in "iu" or x.dtype.itemsize > 2 or reals != {"float32"}:
        return Refusal(
            "G7",
            f"{node.id} has {x.dtype} codes with a {x.scale.dtype} scale; their order is kept for "
            f"8 and 16 bits with float32",
        )
    if x.scale.size != 1 or x.zero_point.size != 1:
        return Refusal("G2", f"{node.id} has {x.scale.size} scales, the kernel takes 1")
    scale, zero_point, info = x.scale.item(), int(x.zero_point.item()), np.iinfo(x.dtype)
    far = max(int(info.max) - zero_point, zero_point - int(info.min))
    if 0 < scale * far <= _LARGEST:
        return None
    name = f"the scale {scale:.9g} of {node.id}"
    if scale > 0:
        return Refusal("G6", f"{name} overflows float32 times {far}")
    return view.refuse("G6", f"{name} does not keep the order of the codes", "order")


def on_codes(view: View, node: Node, dequantize: Node, outputs: tuple[str, ...]) -> Node:
    """The operator reading codes, which knows their type and which of them is real 0."""
    attributes = dict(node.attributes)
    if node.op not in ("ArgMax", "ArgMin"):
        zero_point = view.constant(dequantize.input(2))
        attributes["zero_point"] = 0 if zero_point is None else int(zero_point.reshape(()))
        attributes["x_dtype"] = str(view.code_dtype(dequantize.inputs[0]))
    inputs = (dequantize.inputs[0], *node.inputs[1:])
    return Node(node.id, node.op, inputs, outputs, attributes)


RULE = Rule(
    "R15", "maximum pool between an equal pair", "X0", ("MaxPool", "GlobalMaxPool"), match
)
