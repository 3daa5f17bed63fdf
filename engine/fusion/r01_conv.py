"""R01: ``D(x), D(w)[, D(b)] -> Conv -> Q`` becomes one integer convolution.

With x = xs(qx - zx), w = ws(qw - zw), b = xs*ws*qb the real sum is xs*ws*acc, so that
``y = sat(rne(acc * xs*ws/ys) + yz)``, eq. (3) to (5). Exact where the bias really counts steps of
xs*ws (G10) and nobody else reads a float tensor that disappears (G3).
"""

import numpy as np

from engine.fusion.guards import (
    bias_steps,
    own_dequantize,
    per_tensor,
    product_scales,
    read_affine,
    single_consumer,
    weight_axis,
)
from engine.fusion.match import Answer, Fused, Refusal, Rule, View
from engine.ir import Array, Node
from engine.kernels.qlinear_conv import Activation, Affine, conv_parameters

Bias = tuple[tuple[Node, ...], Array | None, Array | None]


def match(view: View, quantize: Node) -> Answer:
    """A Conv whose only consumer is this QuantizeLinear."""
    conv = view.producer(quantize.inputs[0], "Conv")
    return fuse(view, "R01", conv, (), quantize, None) if conv else None


def fuse(
    view: View,
    rule: str,
    conv: Node,
    between: tuple[Node, ...],
    quantize: Node,
    activation: Activation | None,
) -> Fused | Refusal:
    """The fused unit of a Conv, what lies ``between`` it and its QuantizeLinear, and its D's."""
    for each in (conv, *between):
        if refusal := single_consumer(view, each.outputs[0]):
            return refusal
    sides = _sides(view, conv)
    if isinstance(sides, Refusal):
        return sides
    data, weight = sides
    x, w, y = (read_affine(view, each) for each in (data, weight, quantize))
    if isinstance(x, Refusal):
        return x
    if isinstance(w, Refusal):
        return w
    if isinstance(y, Refusal):
        return y
    codes = view.graph.constants[weight.inputs[0]]
    if (
        refusal := per_tensor(data, x)
        or per_tensor(quantize, y)
        or weight_axis(weight, codes, w)
    ):
        return refusal
    bias = _bias(view, conv, x, w, len(codes))
    if isinstance(bias, Refusal):
        return bias
    extra, qb, scales = bias
    parameters = conv_parameters(
        conv, x, codes, w, y, bias=qb, bias_scales=scales, activation=activation
    )
    nodes = (data, weight, *extra, conv, *between, quantize)
    return Fused(rule, nodes, data.inputs[0], quantize.outputs[0], parameters)


def _sides(view: View, conv: Node) -> tuple[Node, Node] | Refusal:
    found = []
    for name, what in zip(conv.inputs, ("x", "w"), strict=False):
        node = view.producer(name, "DequantizeLinear")
        if node is None:
            return Refusal(
                "pattern", f"input {what} ({name!r}) of {conv.id} is not dequantized codes"
            )
        if refusal := own_dequantize(view, node):
            return refusal
        found.append(node)
    weight = found[1]
    if view.graph.constant(weight.inputs[0]) is None:
        return Refusal(
            "G8", f"the weight {weight.inputs[0]!r} of {conv.id} is computed, not constant"
        )
    return found[0], weight


def _bias(view: View, conv: Node, x: Affine, w: Affine, channels: int) -> Bias | Refusal:
    wanted = product_scales(x, w)
    if isinstance(wanted, Refusal):
        return wanted
    name = conv.input(2)
    if not name:
        return (), None, None
    node = view.producer(name, "DequantizeLinear")
    if node is None:
        return Refusal(
            "G10", f"bias {name!r} of {conv.id} is float, the kernel adds int32 codes"
        )
    codes, scales = view.graph.constant(node.inputs[0]), view.graph.constant(node.input(1))
    if codes is None or scales is None:
        return Refusal(
            "G10", f"the bias codes or scale of {node.id} are computed, not constant"
        )
    if codes.dtype != np.int32 or codes.shape != (channels,):
        return Refusal(
            "G10",
            f"bias {node.inputs[0]!r} is {codes.dtype} {codes.shape}, must be int32 ({channels},)",
        )
    if refusal := _bias_zero_point(view, node) or own_dequantize(view, node):
        return refusal
    if refusal := bias_steps(view, node, scales.reshape(-1), wanted):
        return refusal
    return (node,), codes, scales.reshape(-1)


def _bias_zero_point(view: View, node: Node) -> Refusal | None:
    if not node.input(2):
        return None
    zero_point = view.graph.constant(node.input(2))
    if zero_point is None or zero_point.any():
        return Refusal("G10", f"the zero point of bias {node.id} is {zero_point}, must be 0")
    return None


RULE = Rule("R01", "convolution between DequantizeLinear and QuantizeLinear", match)
