"""R10: ``D, D -> Add | Sub | Mul | Div | Max | Min | Sum -> Q`` becomes one operation on codes.

``y = sat(rne(f(as (a - az), bs (b - bz)) / ys) + yz)``, the real value of f rounded once. The operator
itself is checked, not its family (G14), and every input, not the first two (G15).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from engine.fusion.guards import single_consumer, with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.operands import dequantized, moderate, once, one_scale, one_type
from engine.fusion.r01_conv import quantize_after
from engine.ir import Node
from engine.kernels.combination_parameters import PAIRS

FUSED: Mapping[str, str] = MappingProxyType(
    {
        "Add": "QLinearAdd",
        "Sub": "QLinearSub",
        "Mul": "QLinearMul",
        "Div": "QLinearDiv",
        "Max": "QLinearMax",
        "Min": "QLinearMin",
        "Sum": "QLinearSum",
    }
)
"""The operation on codes for each operator."""


def match(view: View, node: Node) -> Answer:
    """An operator on several tensors that a QuantizeLinear follows."""
    quantize = quantize_after(view, node.outputs[0])
    return fuse(view, node, (), quantize, {}) if quantize else None


def fuse(
    view: View,
    node: Node,
    between: tuple[Node, ...],
    quantize: Node,
    attributes: Mapping[str, Any],
) -> Answer:
    """The fused operation of a node, what lies ``between`` it and its QuantizeLinear, and its D's.

    A function of one tensor, as x + x, is a table (R12).
    """
    if len(set(node.inputs)) == 1:
        return None
    if node.op in PAIRS and len(node.inputs) != 2:
        return Refusal("G15", f"{node.id} has {len(node.inputs)} inputs, the kernel takes 2")
    edges = dequantized(view, node, node.inputs)
    if isinstance(edges, Refusal):
        return edges
    for each in (node, *between):
        if refusal := single_consumer(view, each.outputs[0]):
            return refusal
    y = one_scale(view, quantize)
    if isinstance(y, Refusal):
        return y
    every = (*edges, y)
    if refusal := one_type(every) or moderate(every):
        return refusal
    affines, constants = with_zero_points(view, every)
    op = FUSED[node.op]
    tensors = [
        (each.inputs[0], *names) for (each, _), names in zip(edges, affines, strict=False)
    ]
    flat = tuple(name for tensor in tensors for name in tensor)
    inputs = (*flat, *affines[-1]) if op in PAIRS else (*affines[-1], *flat)
    fused = Node(node.id, op, inputs, quantize.outputs, attributes)
    covered = (*(each for each, _ in edges), node, *between, quantize)
    return Replacement(once(covered), (fused,), constants)


RULE = Rule("R10", "element-wise operation on codes", "X1", tuple(FUSED), match)
