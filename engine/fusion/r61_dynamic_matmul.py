"""R61: ``DynamicQuantizeLinear -> MatMulInteger -> Cast -> Mul(Mul(as, bs)) [-> Add]`` becomes one operation.

First MatMulIntegerToFloat takes the Cast and the scales: ``fl(fl(acc) * fl(as*bs))``. Then, where the
codes come from a DynamicQuantizeLinear that nobody else reads, DynamicQuantizeMatMul takes that too.
"""

import numpy as np

from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.ir import Node


def match(view: View, node: Node) -> Answer:
    """A product of sums and scales, or an integer product of freshly quantized reals."""
    return _scaled(view, node) if node.op == "Mul" else _dynamic(view, node)


def _scaled(view: View, mul: Node) -> Answer:
    for real, scale in (mul.inputs, mul.inputs[::-1]):
        cast = view.producer(real, "Cast")
        scales = view.producer(scale, "Mul")
        matmul = view.producer(cast.inputs[0], "MatMulInteger") if cast else None
        if cast and matmul and scales:
            return _to_float(view, mul, cast, matmul, scales)
    return None


def _to_float(view: View, mul: Node, cast: Node, matmul: Node, scales: Node) -> Answer:
    if cast.attributes.get("to") != 1:
        return Refusal(
            "G7", f"{cast.id} casts to type {cast.attributes.get('to')}, not float32"
        )
    for each in (matmul, cast, scales):
        if refusal := single_consumer(view, each.outputs[0]):
            return refusal
    a_scale, b_scale = _told_apart(view, scales, matmul)
    b = view.constant(b_scale)
    if b is None or b.dtype != np.float32:
        return Refusal(
            "G1", f"the weight scale {b_scale!r} of {scales.id} is computed, not constant"
        )
    if b.size > 1 and (b.ndim != 1 or not _fits(view, matmul, b.size)):
        return Refusal("G9", f"{b_scale!r} has {b.shape} scales, not one for each column")
    zeros = (matmul.input(2), matmul.input(3))
    inputs = (*matmul.inputs[:2], a_scale, b_scale, *zeros)
    while not inputs[-1]:
        inputs = inputs[:-1]
    node = Node(matmul.id, "MatMulIntegerToFloat", inputs, mul.outputs, {})
    return Replacement((matmul, cast, scales, mul), (node,))


def _told_apart(view: View, scales: Node, matmul: Node) -> tuple[str, str]:
    """The scale of a, which comes from where its codes come from, and that of b."""
    first, second = scales.inputs
    source = view.producer(matmul.inputs[0], "DynamicQuantizeLinear")
    if source is not None and second == source.outputs[1]:
        return second, first
    return (
        (second, first)
        if source is None and view.constant(first) is not None
        else (first, second)
    )


def _fits(view: View, matmul: Node, count: int) -> bool:
    weights = view.constant(matmul.inputs[1])
    return weights is not None and weights.ndim > 1 and weights.shape[-1] == count


def _dynamic(view: View, product: Node) -> Answer:
    source = view.producer(product.inputs[0], "DynamicQuantizeLinear")
    if source is None:
        return None
    if (product.input(2), product.input(4)) != source.outputs[1:]:
        return Refusal("G5", f"{product.id} reads other parameters than those of {source.id}")
    for name in source.outputs:
        if refusal := single_consumer(view, name):
            return refusal
    inputs = (source.inputs[0], product.inputs[1], product.inputs[3], *product.inputs[5:])
    node = Node(product.id, "DynamicQuantizeMatMul", inputs, product.outputs, {})
    return Replacement((source, product), (node,))


RULE = Rule(
    "R61", "a product of freshly quantized reals", "X1", ("Mul", "MatMulIntegerToFloat"), match
)
