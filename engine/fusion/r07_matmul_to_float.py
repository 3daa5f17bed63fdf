"""R07: ``D(a), D(b) -> MatMul | Gemm`` without a QuantizeLinear: an integer product, real result.

MatMulIntegerToFloat, or QGemm without parameters of y. ``y = fl(as*bs * acc)``: the sum is an exact
integer, where the float product rounds at every step. Last, because other rules may yet find, or move
there, a QuantizeLinear (R08, R31).
"""

from engine.fusion.guards import with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.products import sides
from engine.fusion.r01_conv import quantize_after
from engine.fusion.r09_gemm import fuse
from engine.ir import Node


def match(view: View, matmul: Node) -> Answer:
    """A product of dequantized codes whose result is needed as reals."""
    if quantize_after(view, matmul.outputs[0]):
        return None
    if matmul.op == "Gemm":
        return fuse(view, matmul, (), None, {})
    found = sides(view, matmul, b_axis=-1)
    if isinstance(found, Refusal):
        return found
    a, b = found
    names, constants = with_zero_points(view, ((a.node, a.affine), (b.node, b.affine)))
    (a_scale, a_zero), (b_scale, b_zero) = names
    inputs = (a.codes, b.codes, a_scale, b_scale, a_zero, b_zero)
    node = Node(matmul.id, "MatMulIntegerToFloat", inputs, matmul.outputs, {})
    return Replacement((a.node, b.node, matmul), (node,), constants)


RULE = Rule(
    "R07",
    "product of dequantized codes, real result",
    "X1",
    ("MatMul", "Gemm"),
    match,
    last=True,
)
