"""R15: ``D -> MaxPool | GlobalMaxPool -> Q`` with identical parameters is the pool of the codes.

``q -> fl(fl(q - z) * s)`` is strictly increasing for s > 0 (G6), so it keeps the place of every
maximum; the codes come back as in R40. Indices, where they are an output, stay what they are.
"""

from engine.fusion.guards import per_tensor, read_affine, single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r01_conv import quantize_after
from engine.fusion.r40_equal_pair import why_different
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node
from engine.kernels.qlinear_conv import Affine


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
    if refusal := why_different(view, dequantize, quantize):
        return refusal
    outputs = (quantize.outputs[0], *node.outputs[1:])
    return Replacement(
        (dequantize, node, quantize), (on_codes(view, node, dequantize, outputs),)
    )


def ordered_codes(view: View, node: Node) -> Node | Refusal:
    """G1, G2, G6, G12: the DequantizeLinear in front, if it keeps the order of the codes."""
    dequantize = view.producer(node.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return Refusal(
            "pattern", f"input {node.inputs[0]!r} of {node.id} is not dequantized codes"
        )
    x = read_affine(view, dequantize)
    if isinstance(x, Refusal):
        return x
    refusal = per_tensor(dequantize, x) or increasing(dequantize, x)
    return refusal or own_dequantize(view, dequantize) or dequantize


def increasing(node: Node, x: Affine) -> Refusal | None:
    """G6: a negative scale turns the order of the codes around."""
    if x.scale[0] > 0:
        return None
    return Refusal(
        "G6", f"the scale {x.scale[0]} of {node.id} reverses the order of the codes"
    )


def on_codes(view: View, node: Node, dequantize: Node, outputs: tuple[str, ...]) -> Node:
    """The operator reading codes; a MaxPool also knows which code its real border would have."""
    attributes = dict(node.attributes)
    if node.op == "MaxPool":
        zero_point = view.constant(dequantize.input(2))
        attributes["zero_point"] = 0 if zero_point is None else int(zero_point.reshape(()))
    inputs = (dequantize.inputs[0], *node.inputs[1:])
    return Node(node.id, node.op, inputs, outputs, attributes)


RULE = Rule(
    "R15", "maximum pool between an equal pair", "X0", ("MaxPool", "GlobalMaxPool"), match
)
