"""R17: ``D, D, ... -> Concat -> Q`` becomes QLinearConcat.

Each input is brought to the scale of the output by itself, ``sat(rne((q - xz) xs/ys) + yz)``; codes
that already have it are copied. Every input must be dequantized codes.
"""

from engine.fusion.guards import single_consumer, with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.operands import dequantized, moderate, once, one_scale, one_type
from engine.fusion.r01_conv import quantize_after
from engine.ir import Node


def match(view: View, node: Node) -> Answer:
    """A Concat that a QuantizeLinear follows."""
    quantize = quantize_after(view, node.outputs[0])
    if quantize is None:
        return None
    edges = dequantized(view, node, node.inputs)
    if isinstance(edges, Refusal):
        return edges
    if refusal := single_consumer(view, node.outputs[0]):
        return refusal
    y = one_scale(view, quantize)
    if isinstance(y, Refusal):
        return y
    every = (*edges, y)
    if refusal := one_type(every) or moderate(every):
        return refusal
    affines, constants = with_zero_points(view, every)
    inputs: tuple[str, ...] = affines[-1]
    for (dequantize, _), names in zip(edges, affines[:-1], strict=True):
        inputs = (*inputs, dequantize.inputs[0], *names)
    fused = Node(node.id, "QLinearConcat", inputs, quantize.outputs, node.attributes)
    covered = (*(each for each, _ in edges), node, quantize)
    return Replacement(once(covered), (fused,), constants)


RULE = Rule("R17", "concatenation of codes", "X1", ("Concat",), match)
