"""R21: ``D, D -> Where -> Q`` becomes QLinearWhere; comparisons of codes of one scale take the codes.

Where: a constant scalar c in place of a D is written as a code of its own scale, q = 1, z = 0, s = c
(z = 1, q = 0, s = -c below zero), which is exact. What is a function of one tensor is R12's. Comparisons: ``s (a - z) < s (b - z)`` says ``a < b``
for s > 0 (G6), bit for bit where both sides have the same s, z and type (G5).
"""

from collections.abc import Mapping

import numpy as np

from engine.fusion.guards import single_consumer, with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.operands import Edge, dequantized, moderate, once, one_scale, one_type
from engine.fusion.r01_conv import quantize_after
from engine.fusion.r12_table import region_before
from engine.fusion.r40_equal_pair import why_different
from engine.ir import Array, Node

COMPARISONS = ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")


def match(view: View, node: Node) -> Answer:
    """A Where that a QuantizeLinear follows, or a comparison of dequantized codes."""
    return _where(view, node) if node.op == "Where" else _comparison(view, node)


def _comparison(view: View, node: Node) -> Answer:
    if view.producer(node.inputs[0], "DequantizeLinear") is None:
        return None
    edges = dequantized(view, node, node.inputs)
    if isinstance(edges, Refusal):
        return edges
    (first, _), (second, _) = edges
    if refusal := moderate(edges) or why_different(view, first, second):
        return refusal
    inputs = (first.inputs[0], second.inputs[0])
    compared = Node(node.id, node.op, inputs, node.outputs, node.attributes)
    return Replacement(once((first, second, node)), (compared,))


def _where(view: View, node: Node) -> Answer:
    quantize = quantize_after(view, node.outputs[0])
    if quantize is None or region_before(view, quantize) is not None:
        return None
    y = one_scale(view, quantize)
    if isinstance(y, Refusal):
        return y
    names = [each for each in node.inputs[1:] if _scalar(view, each) is None]
    edges = dequantized(view, node, names)
    if isinstance(edges, Refusal):
        return edges
    if not edges:
        return None
    if refusal := single_consumer(view, node.outputs[0]):
        return refusal
    every = (*edges, y)
    if refusal := one_type(every) or moderate(every):
        return refusal
    affines, constants = with_zero_points(view, every)
    tensors: list[tuple[str, ...]] = []
    for name in node.inputs[1:]:
        if name in names:
            place = len([each for each in tensors if each[0] not in constants])
            tensors.append((edges[place][0].inputs[0], *affines[place]))
            continue
        written = _as_codes(view, node, name, y)
        if isinstance(written, Refusal):
            return written
        constants |= written
        tensors.append(tuple(written))
    inputs = (node.inputs[0], *tensors[0], *tensors[1], *affines[-1])
    fused = Node(node.id, "QLinearWhere", inputs, quantize.outputs, {})
    covered = (*(each for each, _ in edges), node, quantize)
    return Replacement(once(covered), (fused,), constants)


def _scalar(view: View, name: str) -> Array | None:
    """A constant of one element that is not behind a DequantizeLinear."""
    constant = view.constant(name)
    return constant if constant is not None and constant.size == 1 else None


def _as_codes(view: View, node: Node, name: str, y: Edge) -> Mapping[str, Array] | Refusal:
    """A constant as code, scale and zero point, in this order, each under a new name."""
    constant = view.constants[name]
    value = float(constant.reshape(()))
    if constant.dtype != np.float32 or not (value == 0 or 2.0**-60 <= abs(value) <= 2.0**60):
        return Refusal(
            "G6",
            f"the constant {value} ({constant.dtype}) of {node.id} is no float32 between 2**-60 and "
            f"2**60",
        )
    dtype = y[1].dtype
    code, zero_point = (0, 1) if value < 0 else (int(value > 0), 0)
    base = f"{node.key}_{name}"
    return {
        view.new_name(base): np.full(constant.shape, code, dtype),
        view.new_name(f"{base}_scale"): np.array(abs(value) or 1.0, np.float32),
        view.new_name(f"{base}_zero_point"): np.array(zero_point, dtype),
    }


RULE = Rule("R21", "choice and comparison of codes", "X1", ("Where", *COMPARISONS), match)
