"""R48: int8 codes become uint8: 128 is added to codes and zero points of ``Q -> D`` and ``D(w)``.

``(q + 128) - (z + 128) = q - z``, and ``sat`` moves along, so no real value changes wherever the
zero point is added after rounding. For kernels that know only uint8, hence opt-in; it never turns
codes back. Codes that anybody but a DequantizeLinear sees stay as they are.
"""

import numpy as np

from engine.fusion.guards import per_tensor, read_affine
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r40_equal_pair import why_different
from engine.ir import Array, Node

_INT8 = np.dtype(np.int8)


def match(view: View, node: Node) -> Answer:
    """A QuantizeLinear of activations, or a DequantizeLinear of constant codes."""
    codes = node.outputs[0] if node.op == "QuantizeLinear" else node.inputs[0]
    if view.code_dtype(codes) != _INT8:
        return None
    if node.op == "QuantizeLinear":
        return _pair(view, node)
    stored = view.constant(codes)
    return None if stored is None else _weights(view, node, stored)


def _pair(view: View, quantize: Node) -> Replacement | Refusal:
    codes = quantize.outputs[0]
    users = view.users(codes)
    others = [each.id for each in users if each.op != "DequantizeLinear"]
    if view.is_output(codes) or others or not users:
        who = "a graph output" if view.is_output(codes) else f"read by {', '.join(others)}"
        return Refusal("G3", f"the codes {codes!r} are {who if users or others else 'unread'}")
    y = read_affine(view, quantize)
    if isinstance(y, Refusal):
        return y
    if refusal := per_tensor(quantize, y):
        return refusal
    for each in users:
        if refusal := why_different(view, quantize, each):
            return refusal
    name, zero_name = view.new_name(codes), view.new_name(f"{codes}_zero_point")
    zero = {zero_name: unsigned(y.zero_point).reshape(())}
    attributes = {k: v for k, v in quantize.attributes.items() if k != "output_dtype"}
    inputs = (*quantize.inputs[:2], zero_name)
    first = Node(quantize.id, "QuantizeLinear", inputs, (name,), attributes, quantize.sources)
    after = [_reading(each, name, zero_name) for each in users]
    return Replacement((quantize, *users), (first, *after), zero)


def _weights(view: View, node: Node, stored: Array) -> Replacement | Refusal:
    affine = read_affine(view, node)
    if isinstance(affine, Refusal):
        return affine
    name, zero_name = (
        view.new_name(f"{node.key}_{each}") for each in ("unsigned", "zero_point")
    )
    zero_point = view.constant(node.input(2))
    if zero_point is None:
        zero_point = np.zeros(view.constants[node.inputs[1]].shape, np.int8)
    new = {name: unsigned(stored), zero_name: unsigned(zero_point)}
    return Replacement((node,), (_reading(node, name, zero_name),), new)


def _reading(node: Node, codes: str, zero_name: str) -> Node:
    inputs = (codes, node.inputs[1], zero_name)
    return Node(node.id, node.op, inputs, node.outputs, node.attributes, node.sources)


def unsigned(codes: Array) -> Array:
    """``q + 128`` as uint8: the highest bit turned around."""
    shifted: Array = codes.view(np.uint8) ^ np.uint8(128)
    return shifted


RULE = Rule(
    "R48",
    "int8 codes as uint8",
    "X0",
    ("QuantizeLinear", "DequantizeLinear"),
    match,
    opt_in=True,
)
