"""R06: ``D(a), D(b) -> MatMul -> Q`` becomes QLinearMatMul.

With a = as(qa - az) and b = bs(qb - bz) the real product is as*bs*acc, so that
``y = sat(rne(acc * as*bs/ys) + yz)``. b may be computed, or have a scale for each column.
"""

from collections.abc import Mapping
from typing import Any

from engine.fusion.guards import per_tensor, read_affine, single_consumer, with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.products import sides
from engine.fusion.r01_conv import for_readers, quantize_after
from engine.ir import Node


def match(view: View, matmul: Node) -> Answer:
    """A MatMul that a QuantizeLinear follows."""
    if changed := for_readers(view, matmul):
        return changed
    quantize = quantize_after(view, matmul.outputs[0])
    return fuse(view, matmul, (), quantize, {}) if quantize else None


def fuse(
    view: View,
    matmul: Node,
    between: tuple[Node, ...],
    quantize: Node,
    attributes: Mapping[str, Any],
    bias: Node | None = None,
) -> Replacement | Refusal:
    """The fused unit of a MatMul, what lies ``between`` it and its QuantizeLinear, and its D's.

    ``bias`` is the DequantizeLinear of int32 codes that fit (`products.int32_bias`).
    """
    for each in (matmul, *between):
        if refusal := single_consumer(view, each.outputs[0]):
            return refusal
    found = sides(view, matmul, b_axis=-1)
    if isinstance(found, Refusal):
        return found
    a, b = found
    y = read_affine(view, quantize)
    if isinstance(y, Refusal):
        return y
    if refusal := per_tensor(quantize, y):
        return refusal
    parts = ((a.node, a.affine), (b.node, b.affine), (quantize, y))
    names, constants = with_zero_points(view, parts)
    inputs: tuple[str, ...] = (a.codes, *names[0], b.codes, *names[1], *names[2])
    extra = (bias,) if bias else ()
    inputs += tuple(each.inputs[0] for each in extra)
    node = Node(matmul.id, "QLinearMatMul", inputs, quantize.outputs, attributes)
    return Replacement(
        (a.node, b.node, *extra, matmul, *between, quantize), (node,), constants
    )


RULE = Rule(
    "R06", "MatMul between DequantizeLinear and QuantizeLinear", "X1", ("MatMul",), match
)
