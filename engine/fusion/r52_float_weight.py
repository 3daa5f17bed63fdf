"""R52: a constant float weight beside dequantized x becomes int8: ``qw = rne(w/s)``, ``s = max|w|/127``.

``D(x), w -> Conv | ConvTranspose | MatMul | Gemm [-> Relu | Clip] -> Q`` gets ``D(qw)``, symmetric
and per tensor. X3, opt-in: it is another function, up to ``s/2`` away in every weight.
"""

import numpy as np

from engine.fusion.guards import per_tensor, read_affine
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r51_float_bias import before_quantize
from engine.ir import Node


def match(view: View, node: Node) -> Answer:
    """A weighted operator with constant float weights."""
    w = view.constant(node.input(1))
    data = view.producer(node.inputs[0], "DequantizeLinear")
    if w is None or w.dtype != np.float32 or data is None:
        return None
    if refusal := before_quantize(view, node):
        return refusal
    x = read_affine(view, data)
    if isinstance(x, Refusal):
        return x
    if refusal := per_tensor(data, x):
        return refusal
    scale = np.float32(np.abs(w).max(initial=0)) / np.float32(127)
    name = node.inputs[1]
    if not np.finfo(np.float32).tiny <= scale < np.inf:
        return Refusal("G6", f"the weights {name!r} of {node.id} give the scale {scale}")
    real, stored, step = (
        view.new_name(f"{node.key}_{name}{each}") for each in ("", "_codes", "_scale")
    )
    after = Node(node.id, "DequantizeLinear", (stored, step), (real,), {})
    inputs = (node.inputs[0], real, *node.inputs[2:])
    same = Node(node.id, node.op, inputs, node.outputs, node.attributes)
    codes = np.rint(w / scale).astype(np.int8)
    return Replacement((node,), (after, same), {stored: codes, step: np.asarray(scale)})


RULE = Rule(
    "R52",
    "float weights rounded to int8",
    "X3",
    ("Conv", "ConvTranspose", "MatMul", "Gemm"),
    match,
    opt_in=True,
)
