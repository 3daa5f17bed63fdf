"""R16: what chooses by order alone works on codes: ReduceMax, ReduceMin, ArgMax, ArgMin, TopK.

ReduceMax, ReduceMin and the values of TopK need D and Q with identical parameters, as in R15. Only an
index leaves ArgMax and ArgMin, and TopK where nobody reads its values: they need no Q. Equal reals
are equal codes, because D is injective (G6: its products do not overflow), so ties go the same way.
"""

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r01_conv import quantize_after
from engine.fusion.r15_max_pool import between_equal_pair, on_codes, ordered_codes
from engine.ir import Node


def match(view: View, node: Node) -> Answer:
    """A reduction or TopK between D and Q, or an index behind D."""
    values = node.outputs[0]
    unread = not view.users(values) and not view.is_output(values)
    if node.op in ("ArgMax", "ArgMin") or (node.op == "TopK" and unread):
        return _index(view, node)
    quantize = quantize_after(view, values)
    return None if quantize is None else between_equal_pair(view, node, quantize)


def _index(view: View, node: Node) -> Answer:
    if view.producer(node.inputs[0], "DequantizeLinear") is None:
        return None
    dequantize = ordered_codes(view, node)
    if isinstance(dequantize, Refusal):
        return dequantize
    outputs = ("", *node.outputs[1:]) if node.op == "TopK" else node.outputs
    return Replacement((dequantize, node), (on_codes(view, node, dequantize, outputs),))


RULE = Rule(
    "R16",
    "choice by order on codes",
    "X0",
    ("ReduceMax", "ReduceMin", "ArgMax", "ArgMin", "TopK"),
    match,
)
