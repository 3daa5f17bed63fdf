"""R08: ``MatMul -> Add(bias)`` becomes the bias of the integer product.

Before a QuantizeLinear the bias must be int32 codes in steps of ``fl(as*bs)`` (G10): it joins the
accumulator. A real bias row behind a product that stays real is added in float, as the graph does.
"""

from engine.fusion.activation import activation_after, activation_codes
from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.products import int32_bias, sides
from engine.fusion.r01_conv import quantize_after
from engine.fusion.r06_matmul import fuse
from engine.ir import Node


def match(view: View, add: Node) -> Answer:
    """An Add of a product and a bias."""
    for product, bias in (add.inputs, add.inputs[::-1]):
        if matmul := view.producer(product, "MatMul"):
            return _before_quantize(view, matmul, add, bias)
        if fused := view.producer(product, *_BIAS):
            return _real_bias(view, fused, add, bias)
    return None


_BIAS = {"MatMulIntegerToFloat": 6, "DynamicQuantizeMatMul": 4}
"""Where a product with a real result has its bias."""


def _before_quantize(view: View, matmul: Node, add: Node, bias: str) -> Answer:
    found = activation_after(view, add)
    quantize = found[1] if found else quantize_after(view, add.outputs[0])
    if quantize is None:
        return None
    both = sides(view, matmul, b_axis=-1)
    if isinstance(both, Refusal):
        return both
    node = int32_bias(view, bias, *both)
    if isinstance(node, Refusal):
        return node
    codes = view.constants[node.inputs[0]]
    weights = view.constant(both[1].codes)
    if weights is None or codes.shape != weights.shape[-1:] or weights.ndim < 2:
        return Refusal("G10", f"bias {node.inputs[0]!r} {codes.shape} is no row of columns")
    if found is None:
        return fuse(view, matmul, (add,), quantize, {}, node)
    activation = activation_codes(view, found[0], quantize)
    if isinstance(activation, Refusal):
        return activation
    return fuse(view, matmul, (add, found[0]), quantize, activation.attributes, node)


def _real_bias(view: View, fused: Node, add: Node, bias: str) -> Answer:
    row, weights = view.constant(bias), view.constant(fused.inputs[1])
    if row is None or weights is None:
        return Refusal("G1", f"bias {bias!r} or the weights of {fused.id} are computed")
    place = _BIAS[fused.op]
    if row.shape != weights.shape[-1:] or weights.ndim < 2 or fused.input(place):
        return Refusal(
            "G10", f"bias {bias!r} {row.shape} is no row of {weights.shape[-1]} columns"
        )
    if refusal := single_consumer(view, fused.outputs[0]):
        return refusal
    absent = ("",) * (place - len(fused.inputs))
    inputs = (*fused.inputs, *absent, bias)
    node = Node(fused.id, fused.op, inputs, add.outputs, {})
    return Replacement((fused, add), (node,))


RULE = Rule("R08", "bias of a matrix product", "X1", ("Add",), match)
