"""What rules of element-wise operators ask of the Q and D around them."""

from collections.abc import Iterable, Sequence

from engine.fusion.guards import per_tensor, read_affine
from engine.fusion.match import Refusal, View
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node
from engine.kernels.qlinear_conv import Affine

Edge = tuple[Node, Affine]
"""A Q or D with its scale and zero point."""

_LOWEST, _HIGHEST = 2.0**-60, 2.0**60


def dequantized(view: View, node: Node, names: Sequence[str]) -> tuple[Edge, ...] | Refusal:
    """Every one of these inputs as codes of one scale and zero point (G1, G2, G6, G7, G12)."""
    edges = []
    for name in names:
        dequantize = view.producer(name, "DequantizeLinear")
        if dequantize is None:
            return Refusal("pattern", f"input {name!r} of {node.id} is not dequantized codes")
        edge = one_scale(view, dequantize)
        if isinstance(edge, Refusal):
            return edge
        if refusal := own_dequantize(view, dequantize):
            return refusal
        edges.append(edge)
    return tuple(edges)


def one_scale(view: View, node: Node) -> Edge | Refusal:
    """G1, G2, G6, G7: a Q or D with one constant scale, between 8-bit codes and float32."""
    affine = read_affine(view, node)
    if isinstance(affine, Refusal):
        return affine
    name = "output_dtype" if node.op == "DequantizeLinear" else "precision"
    if node.attributes.get(name, 0) not in (0, 1):
        return Refusal("G7", f"{node.id} has another {name} than float32, the kernel's")
    return per_tensor(node, affine) or (node, affine)


def one_type(edges: Sequence[Edge]) -> Refusal | None:
    """G4: all codes have one type."""
    first, affine = edges[0]
    for node, other in edges[1:]:
        if other.dtype != affine.dtype:
            return Refusal(
                "G4",
                f"{first.id} has {affine.dtype} codes, {node.id} {other.dtype}; the kernel needs one "
                f"type",
            )
    return None


def moderate(edges: Sequence[Edge]) -> Refusal | None:
    """G6: between 2**-60 and 2**60, where float32 products and quotients cannot mislead.

    Two scales times a code neither overflow nor lose bits that a third scale brings back.
    """
    for node, affine in edges:
        if not _LOWEST <= affine.scale[0] <= _HIGHEST:
            return Refusal(
                "G6",
                f"the scale {affine.scale[0]} of {node.id} is not between 2**-60 and 2**60, where "
                f"float32 steps are safe",
            )
    return None


def once(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Each node once, in order: a D that is read twice is one D."""
    return tuple({each.key: each for each in nodes}.values())
