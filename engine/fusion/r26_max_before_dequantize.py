"""R26: ``D -> MaxPool | GlobalMaxPool | TopK`` becomes ``MaxPool | ... -> D``, a chain on codes without own Q.

An increasing D commutes with a maximum, value by value. The parameters are those of the very D in
front: nothing is searched further up, where another operator may lie between (F113).
"""

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r15_max_pool import on_codes, ordered_codes
from engine.ir import Node


def match(view: View, node: Node) -> Answer:
    """A pool, or TopK, behind a DequantizeLinear."""
    if view.producer(node.inputs[0], "DequantizeLinear") is None:
        pair: Replacement | None = view.by_stage("rewrite.pool", no_pair, view, node)
        return pair
    dequantize = ordered_codes(view, node)
    if isinstance(dequantize, Refusal):
        return dequantize
    values = node.outputs[0]
    if not values:
        return Replacement(
            (dequantize, node), (on_codes(view, node, dequantize, node.outputs),)
        )
    codes = view.new_name(values)
    chosen = on_codes(view, node, dequantize, (codes, *node.outputs[1:]))
    after = Node(
        dequantize.id,
        "DequantizeLinear",
        (codes, *dequantize.inputs[1:]),
        (values,),
        dequantize.attributes,
    )
    return Replacement((dequantize, node), (chosen, after))


def no_pair(view: View, node: Node) -> Replacement | None:
    """What is put in front of a pool of reals: nothing."""
    return None


RULE = Rule(
    "R26",
    "DequantizeLinear moved behind a maximum",
    "X0",
    ("MaxPool", "GlobalMaxPool", "TopK"),
    match,
)
