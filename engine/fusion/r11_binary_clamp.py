"""R11: ``D, D -> Add | ... -> Relu | Clip -> Q`` becomes R10 with a clamp of the output codes.

As in R04, quantization is monotone, hence commutes with min and max.
"""

from engine.fusion.activation import activation_after, activation_codes
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r10_binary import FUSED, fuse
from engine.ir import Node


def match(view: View, node: Node) -> Answer:
    """An operator on several tensors, and an activation with constant bounds."""
    found = activation_after(view, node)
    if found is None:
        moved: Replacement | None = view.by_stage("rewrite.slope", kept, view, node)
        return moved
    activation, quantize = found
    bounds = activation_codes(view, activation, quantize)
    if isinstance(bounds, Refusal):
        return bounds
    return fuse(view, node, (activation,), quantize, bounds.attributes)


def kept(view: View, node: Node) -> Replacement | None:
    """What becomes of an activation that has no bounds."""
    return None


RULE = Rule(
    "R11",
    "element-wise operation with an activation, clamped in codes",
    "X1",
    tuple(FUSED),
    match,
)
