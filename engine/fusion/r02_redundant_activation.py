"""R02: ``Conv -> Relu | Clip -> Q`` where saturation already does what the activation does.

A Relu is redundant where ``yz == qmin``; a Clip(a, b) where ``rne(a/ys) + yz <= qmin`` and
``rne(b/ys) + yz >= qmax``: rounding is monotone, so every code in between is reached unclipped.
"""

from engine.arithmetic import RANGES
from engine.fusion.match import Answer, Refusal, Rule, View
from engine.fusion.r01_conv import fuse
from engine.fusion.r04_clamp import activation_codes, activation_of
from engine.ir import Node


def match(view: View, quantize: Node) -> Answer:
    """A Conv and an activation that the output type makes redundant."""
    found = activation_of(view, quantize)
    if found is None:
        return None
    conv, node = found
    activation = activation_codes(view, node, quantize)
    if isinstance(activation, Refusal):
        return activation
    low, high = RANGES[activation.dtype]
    if activation.codes.low > low or activation.codes.high < high:
        return Refusal(
            "G11",
            f"{node.op} {node.id} keeps codes {activation.codes.low} to {activation.codes.high}, "
            f"{activation.dtype} has {low} to {high}",
        )
    return fuse(view, "R02", conv, (node,), quantize, activation.codes)


RULE = Rule("R02", "convolution with an activation that saturation covers", match)
