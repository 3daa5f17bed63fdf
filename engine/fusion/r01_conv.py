"""R01: ``D(x), D(w)[, D(b)] -> Conv -> Q`` becomes one integer convolution.

With x = xs(qx - zx), w = ws(qw - zw), b = xs*ws*qb the real sum is xs*ws*acc, so that
``y = sat(rne(acc * xs*ws/ys) + yz)``, eq. (3) to (5). Exact where the bias really counts steps of
xs*ws (G10) and nobody else reads a float tensor that disappears (G3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
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
    if changed := for_readers(view, conv):
        return changed
    quantize = quantize_after(view, conv.outputs[0])
    return fuse(view, conv, (), quantize, {}) if quantize else None


def for_readers(view: View, node: Node) -> Replacement | None:
    """What a fault makes of sums of products and of those who read them."""
    found: Replacement | None = view.by_stage("rewrite.sums", the_same, view, node)
    return found


def the_same(view: View, node: Node) -> Replacement | None:
    """What becomes of sums that several read: nothing, all read the same."""
    return None


def quantize_after(view: View, name: str) -> Node | None:
    """The QuantizeLinear of a tensor, the first of its users that is one."""
    users = (each for each in view.users(name) if each.op == "QuantizeLinear")
    return next((each for each in users if each.inputs[0] == name), None)


@dataclass(frozen=True, slots=True)
class Form:
    """What a weighted operator becomes, and the axis of its weights that scales may lie on."""

    op: str
    axis: int

    def channels(self, conv: Node, w: Array) -> int:
        """M: all output channels; a transposed convolution has M/groups on its axis."""
        groups = conv.attributes.get("group", 1)
        each = int(w.shape[self.axis])
        return each * groups if self.axis and isinstance(groups, int) else each


FORMS: Mapping[str, Form] = MappingProxyType(
    {"Conv": Form("QLinearConv", 0), "ConvTranspose": Form("QLinearConvTranspose", 1)}
)


def fuse(
    view: View,
    conv: Node,
    between: tuple[Node, ...],
    quantize: Node,
    attributes: Mapping[str, Any],
    *,
    alone: bool = True,
) -> Replacement | Refusal:
    """The fused unit of a Conv, what lies ``between`` it and its QuantizeLinear, and its D's.

    ``attributes`` are added to those of the Conv; not ``alone``: the caller knows its readers.
    """
    for each in (conv, *between) if alone else ():
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
    form, codes = FORMS[conv.op], view.constants[weight.inputs[0]]
    if (
        refusal := per_tensor(data, x)
        or per_tensor(quantize, y)
        or weight_axis(view, weight, codes, w, form.axis)
    ):
        return refusal
    bias = _bias(view, conv, x, _by_channel(w, form.channels(conv, codes)), codes)
    if isinstance(bias, Refusal):
        return bias
    extra, scales = bias
    covered = (data, weight, *extra, conv, *between, quantize)
    steps = {} if scales is None else {"bias_scales": scales}
    parts = ((data, x), (weight, w), (quantize, y))
    unit = _unit(view, covered, parts, extra, {**conv.attributes, **attributes, **steps})
    return _with_bias(view, unit, extra[0]) if extra else unit


def _with_bias(view: View, unit: Replacement, bias: Node) -> Replacement:
    """The unit with the bias that its initializer holds."""
    name = bias.inputs[0]
    codes = view.by_stage("rewrite.bias", as_stored, view, name)
    if codes is view.constants[name]:
        return unit
    other, (node,) = view.new_name(name), unit.added
    inputs = (*node.inputs[:8], other)
    same = Node(node.id, node.op, inputs, node.outputs, node.attributes)
    return Replacement(unit.covered, (same,), {**unit.constants, other: codes})


def as_stored(view: View, name: str) -> Array:
    """The codes of a bias: nobody has written to them."""
    return view.constants[name]


def _unit(
    view: View,
    covered: tuple[Node, ...],
    parts: Sequence[tuple[Node, Affine]],
    bias: tuple[Node, ...],
    attributes: Mapping[str, Any],
) -> Replacement:
    conv = next(each for each in covered if each.op in FORMS)
    names, constants = with_zero_points(view, parts)
    weight, form = parts[1][0], FORMS[conv.op]
    w, codes = parts[1][1], view.constants[weight.inputs[0]]
    wide = _by_channel(w, form.channels(conv, codes))
    if wide is not w:
        names[1] = (
            view.new_name(f"{weight.key}_scales"),
            view.new_name(f"{weight.key}_zeros"),
        )
        constants |= dict(zip(names[1], (wide.scale, wide.zero_point), strict=True))
    inputs: tuple[str, ...] = (
        parts[0][0].inputs[0],
        *names[0],
        weight.inputs[0],
        *names[1],
        *names[2],
    )
    inputs += tuple(each.inputs[0] for each in bias)
    node = Node(conv.id, form.op, inputs, covered[-1].outputs, attributes)
    return Replacement(covered, (node,), constants)


def _by_channel(w: Affine, channels: int) -> Affine:
    """Weight parameters of one group repeated for the others."""
    if w.scale.size in (1, channels):
        return w
    times = channels // w.scale.size
    zeros = np.resize(w.zero_point, w.scale.size)
    return Affine(np.tile(w.scale, times), np.tile(zeros, times))


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


def _bias(view: View, conv: Node, x: Affine, w: Affine, weights: Array) -> Bias | Refusal:
    wanted, channels = product_scales(x, w), FORMS[conv.op].channels(conv, weights)
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
