"""R08b: a real bias behind a product becomes int32, ``qb = rne(b / fl(as*bs))``, for R08 to take.

It has a number for each column, and axes of 1 before them or, of one column, none at all.
``D(a), D(b) -> MatMul -> Add(b) [-> Relu | Clip] -> Q``; R51 does the same for Gemm. X2, opt-in: the
bias moves by up to ``as*bs/2``.
"""

import numpy as np

from engine.fusion.guards import product_scales
from engine.fusion.match import Answer, Refusal, Rule, View
from engine.fusion.products import Side, sides
from engine.fusion.r51_float_bias import before_quantize
from engine.fusion.rounded_bias import rounded_bias
from engine.ir import Array, Node
from engine.kernels.known_shape import known_shape


def match(view: View, add: Node) -> Answer:
    """An Add of a product of dequantized codes and a constant float row, a number for one column."""
    for product, name in (add.inputs, add.inputs[::-1]):
        matmul, bias = view.producer(product, "MatMul"), view.constant(name)
        if matmul and bias is not None and bias.dtype == np.float32:
            return _rounded(view, matmul, add, name)
    return None


def _rounded(view: View, matmul: Node, add: Node, name: str) -> Answer:
    both = sides(view, matmul, b_axis=-1)
    if isinstance(both, Refusal):
        return both
    weights, bias = view.constant(both[1].codes), view.constants[name]
    if weights is None or not _is_row(view, bias, both[0], weights):
        return Refusal("G10", f"bias {name!r} {bias.shape} is no row of columns")
    if refusal := before_quantize(view, add):
        return refusal
    steps = product_scales(both[0].affine, both[1].affine)
    if isinstance(steps, Refusal):
        return steps
    return rounded_bias(view, add, name, bias, steps)


def _is_row(view: View, bias: Array, a: Side, weights: Array) -> bool:
    """Whether the bias has one element for each column, and no more axes than the product."""
    columns = weights.shape[-1]
    if weights.ndim < 2 or bias.size != columns or bias.shape[-1:] not in ((), (columns,)):
        return False
    if bias.ndim <= 1:
        return True
    shape = known_shape(view.graph, a.codes)
    return shape is not None and bias.ndim <= max(len(shape), weights.ndim) - (len(shape) == 1)


RULE = Rule(
    "R08b", "float bias of a MatMul rounded to int32", "X2", ("Add",), match, opt_in=True
)
