"""R02: ``Conv -> Relu | Clip -> Q`` where saturation already does what the activation does.

A Relu is redundant where ``yz == qmin``; a Clip(a, b) where ``rne(a/ys) + yz <= qmin`` and
``rne(b/ys) + yz >= qmax``: rounding is monotone, so every code in between is reached unclipped.
"""

from engine.arithmetic import RANGES
from engine.fusion.match import Answer, Refusal, Rule, View
from engine.fusion.r01_conv import fuse
from engine.fusion.r04_clamp import activation_after, activation_codes
from engine.ir import Node


def match(view: View, conv: Node) -> Answer:
    """A Conv and an activation that the output type makes redundant."""
    found = activation_after(view, conv)
    if found is None:
        return None
    node, quantize = found
    activation = activation_codes(view, node, quantize)
    if isinstance(activation, Refusal):
        return activation
    low, high = RANGES[activation.dtype]
    if activation.low > low or activation.high < high:
        return Refusal(
            "G11",
            f"{node.op} {node.id} keeps codes {activation.low} to {activation.high}, "
            f"{activation.dtype} has {low} to {high}",
        )
    return fuse(view, conv, (node,), quantize, activation.attributes)


RULE = Rule(
    "R02", "convolution with an activation that saturation covers", "X1", ("Conv",), match
)
