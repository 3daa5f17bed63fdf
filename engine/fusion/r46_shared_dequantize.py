"""R46: a DequantizeLinear with several consumers is duplicated, one for each edge.

Exact: the copies compute the same. A fused operation then owns its copy and reads the codes; the
original stays for whoever reads the float tensor, a graph output among them (`View.apply`). Here is
guard G12 for when the rule is off.
"""

from engine.fusion.match import Refusal, View
from engine.ir import Node


def own_dequantize(view: View, node: Node) -> Refusal | None:
    """G12: a shared DequantizeLinear can only be fused if R46 may duplicate it."""
    if "R46" not in view.rules_off:
        return None
    shared = view.why_shared(node.outputs[0])
    return Refusal("G12", f"{node.id} is shared ({shared}) and R46 is off") if shared else None
