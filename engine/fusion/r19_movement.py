"""R19: ``D -> Reshape | Transpose | Slice | ... -> Q`` with identical parameters moves the codes.

Every output element is an input element, so the pair undoes itself element by element as in R40.
"""

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.moving import MOVERS, is_per_tensor, only_quantize
from engine.fusion.r40_equal_pair import read_coding, why_different, why_not_undone
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node


def match(view: View, mover: Node) -> Answer:
    """An operator that moves values, between a DequantizeLinear and a QuantizeLinear."""
    dequantize = view.producer(mover.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return None
    quantize = only_quantize(view, mover.outputs[0])
    if quantize is None or isinstance(quantize, Refusal):
        return quantize
    return on_codes(view, dequantize, mover, quantize)


def on_codes(
    view: View, dequantize: Node, mover: Node, quantize: Node
) -> Replacement | Refusal:
    """The operator reading codes: G2, G5, G6, G7, G12."""
    if refusal := (
        why_different(view, dequantize, quantize)
        or why_not_undone(view, dequantize, quantize)
        or own_dequantize(view, dequantize)
    ):
        return refusal
    coding = read_coding(view, dequantize)
    if isinstance(coding, Refusal):
        return coding
    if not is_per_tensor(coding):
        return Refusal(
            "G2", f"{dequantize.id} has {coding.scale.size} scales, {mover.op} needs 1"
        )
    inputs = (dequantize.inputs[0], *mover.inputs[1:])
    node = Node(mover.id, mover.op, inputs, quantize.outputs, mover.attributes)
    return Replacement((dequantize, mover, quantize), (node,))


RULE = Rule("R19", "movement between an equal pair", "X0", MOVERS, match)
