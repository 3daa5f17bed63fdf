"""R01: ``D(x), D(w)[, D(b)] -> Conv -> Q`` becomes one integer convolution.

With x = xs(qx - zx), w = ws(qw - zw), b = xs*ws*qb the real sum is xs*ws*acc, so that
``y = sat(rne(acc * xs*ws/ys) + yz)``, eq. (3) to (5). Exact where the bias really counts steps of
xs*ws (G10) and nobody else reads a float tensor that disappears (G3).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.fusion.guards import (
    bias_steps,
    per_tensor,
    product_scales,
    read_affine,
    single_consumer,
    weight_axis,
    with_zero_points,
)
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Array, Node
from engine.kernels.qlinear_conv import Affine

Bias = tuple[tuple[Node, ...], Array | None]


def match(view: View, conv: Node) -> Answer:
    """A Conv that a QuantizeLinear follows."""
    quantize = quantize_after(view, conv.outputs[0])
    return fuse(view, conv, (), quantize, {}) if quantize else None


def quantize_after(view: View, name: str) -> Node | None:
    """The QuantizeLinear of a tensor, the first of its users that is one."""
    users = (each for each in view.users(name) if each.op == "QuantizeLinear")
    return next((each for each in users if each.inputs[0] == name), None)


def fuse(
    view: View,
    conv: Node,
    between: tuple[Node, ...],
    quantize: Node,
    attributes: Mapping[str, Any],
) -> Replacement | Refusal:
    """The fused unit of a Conv, what lies ``between`` it and its QuantizeLinear, and its D's.

    ``attributes`` are added to those of the Conv.
    """
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
    codes = view.constants[weight.inputs[0]]
    if (
        refusal := per_tensor(data, x)
        or per_tensor(quantize, y)
        or weight_axis(weight, codes, w)
    ):
        return refusal
    bias = _bias(view, conv, x, w, len(codes))
    if isinstance(bias, Refusal):
        return bias
    extra, scales = bias
    covered = (data, weight, *extra, conv, *between, quantize)
    affines, constants = with_zero_points(view, ((data, x), (weight, w), (quantize, y)))
    steps = {} if scales is None else {"bias_scales": scales}
    inputs: tuple[str, ...] = (data.inputs[0], *affines[0], weight.inputs[0], *affines[1], *affines[2])
    inputs += tuple(each.inputs[0] for each in extra)
    node = Node(
        conv.id,
        "QLinearConv",
        inputs,
        quantize.outputs,
        {**conv.attributes, **attributes, **steps},
    )
    return Replacement(covered, (node,), constants)


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
    if view.constant(weight.inputs[0]) is None:
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
        return (), None
    node = view.producer(name, "DequantizeLinear")
    if node is None:
        return Refusal(
            "G10", f"bias {name!r} of {conv.id} is float, the kernel adds int32 codes"
        )
    codes, scales = view.constant(node.inputs[0]), view.constant(node.input(1))
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
    return (node,), scales.reshape(-1)


def _bias_zero_point(view: View, node: Node) -> Refusal | None:
    if not node.input(2):
        return None
    zero_point = view.constant(node.input(2))
    if zero_point is None or zero_point.any():
        return Refusal("G10", f"the zero point of bias {node.id} is {zero_point}, must be 0")
    return None


RULE = Rule(
    "R01", "convolution between DequantizeLinear and QuantizeLinear", "X1", ("Conv",), match
)
