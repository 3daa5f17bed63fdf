"""R02: ``Conv | MatMul | Gemm -> Relu | Clip -> Q`` where saturation already does what the activation does.

A Relu is redundant where ``yz == qmin``; a Clip(a, b) where ``rne(a/ys) + yz <= qmin`` and
``rne(b/ys) + yz >= qmax``: rounding is monotone, so every code in between is reached unclipped.
"""

from engine.arithmetic import RANGES
from engine.fusion.activation import activation_after, activation_codes
from engine.fusion.match import Answer, Refusal, Rule, View
from engine.fusion.r04_clamp import FUSE
from engine.fusion.r55_covered_activation import covers
from engine.ir import Node


def match(view: View, node: Node) -> Answer:
    """An operation and an activation that the output type makes redundant."""
    found = activation_after(view, node)
    if found is None:
        return None
    between, quantize = found
    activation = activation_codes(view, between, quantize)
    if isinstance(activation, Refusal):
        return activation
    low, high = RANGES[activation.dtype]
    inside = activation.low - low, high - activation.high
    if covers(*inside):
        return FUSE[node.op](view, node, (between,), quantize, activation.attributes)
    if between.op != "Clip" or not view.by_stage("rewrite.covers", covers, *inside):
        reason = (
            f"{between.op} {between.id} keeps codes {activation.low} to {activation.high}, "
            f"{activation.dtype} has {low} to {high}"
        )
        if refusal := view.refuse("G11", reason, between.op):
            return refusal
    return FUSE[node.op](view, node, (between,), quantize, {})


RULE = Rule("R02", "an activation that saturation covers", "X1", tuple(FUSE), match)
