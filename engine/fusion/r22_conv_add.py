"""R22: ``D(x), D(w)[, D(b)] -> Conv -> Add(D(r)) [-> Relu | Clip] -> Q`` becomes one operation.

``y = sat(rne((xs*ws*acc + rs (r - rz)) / ys) + yz)``: the residual has a scale and zero point of its own
(F59, F40), and there is no Q between the convolution and the sum. Only for arithmetic that has such a
kernel (G16): the other engines run this convolution in float.
"""

from collections.abc import Mapping
from typing import Any

from engine.fusion import r01_conv
from engine.fusion.activation import activation_after, activation_codes
from engine.fusion.guards import per_tensor, read_affine, single_consumer, with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node


def match(view: View, add: Node) -> Answer:
    """An Add of a convolution and dequantized codes."""
    moved: Replacement | None = view.by_stage("rewrite.residual", as_written, view, add)
    if moved:
        return moved
    for real, skip in (add.inputs, add.inputs[::-1]):
        conv, dequantize = view.producer(real, "Conv"), view.producer(skip, "DequantizeLinear")
        if conv is not None and dequantize is not None:
            return _residual(view, conv, add, dequantize)
    return None


def as_written(view: View, add: Node) -> Replacement | None:
    """What becomes of an activation behind a sum: it stays there."""
    return None


def _residual(view: View, conv: Node, add: Node, dequantize: Node) -> Answer:
    found = activation_after(view, add)
    quantize = found[1] if found else r01_conv.quantize_after(view, add.outputs[0])
    if quantize is None:
        return None
    if view.profile.residual is None:
        return Refusal(
            "G16", f"profile {view.profile.name} has no convolution with a residual"
        )
    r = read_affine(view, dequantize)
    if isinstance(r, Refusal):
        return r
    if refusal := (
        per_tensor(dequantize, r)
        or own_dequantize(view, dequantize)
        or single_consumer(view, conv.outputs[0])
    ):
        return refusal
    between: tuple[Node, ...] = (add,)
    attributes: Mapping[str, Any] = {}
    if found:
        activation = activation_codes(view, found[0], quantize)
        if isinstance(activation, Refusal):
            return activation
        between, attributes = (add, found[0]), activation.attributes
    answer = r01_conv.fuse(view, conv, between, quantize, attributes)
    if isinstance(answer, Refusal):
        return answer
    (fused,) = answer.added
    (names,), constants = with_zero_points(view, ((dequantize, r),))
    inputs = (*(*fused.inputs, "")[:9], dequantize.inputs[0], *names)
    node = Node(conv.id, "QLinearConvAdd", inputs, fused.outputs, fused.attributes)
    covered = (dequantize, *answer.covered)
    return Replacement(covered, (node,), {**answer.constants, **constants})


RULE = Rule("R22", "convolution with a residual sum", "X1", ("Add",), match)
