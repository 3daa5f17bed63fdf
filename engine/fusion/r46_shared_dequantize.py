"""R46: a DequantizeLinear with several consumers is duplicated, one for each edge.

Exact: the copies compute the same. A fused operation then owns its copy and reads the codes; the
original stays for whoever reads the float tensor, a graph output among them. The rule acts inside
the others (guard G12); here is who still needs the original.
"""

from collections.abc import Collection

from engine.fusion.match import View
from engine.ir import Node


def is_needed(view: View, node: Node, covered: Collection[str]) -> bool:
    """Whether a D that was fused somewhere has a reader left; nodes are known by their output."""
    name = node.outputs[0]
    if name in view.graph.outputs:
        return True
    return any(each.outputs[0] not in covered for each in view.users.get(name, ()))
