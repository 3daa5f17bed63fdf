"""R14: ``D -> AveragePool | GlobalAveragePool | ReduceMean | ReduceSum -> Q`` sums integers and rounds once.

With x = xs(q - xz) the mean is ``xs * A / n``, ``A = sum (q - xz)``, hence
``y = sat(rne(A * xs / (n * ys)) + yz)``. The border is real 0 and adds nothing to A; whether it
counts in n is the operator's own affair.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.fusion.guards import per_tensor, read_affine, single_consumer, with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r01_conv import quantize_after
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Array, Node
from engine.kernels.qlinear_conv import Affine

FUSED: Mapping[str, str] = {
    "AveragePool": "QLinearAveragePool",
    "GlobalAveragePool": "QLinearGlobalAveragePool",
    "ReduceMean": "QLinearReduceMean",
    "ReduceSum": "QLinearReduceSum",
}
"""The operator on codes for each real one; the one that gives real values is ``...OfCodes`` (R36)."""

_FLOAT = np.finfo(np.float32)
_SMALLEST, _LARGEST = float(_FLOAT.tiny) * 2.0**24, float(_FLOAT.max) / 2.0**32


@dataclass(frozen=True, slots=True)
class Source:
    """The codes a mean is taken of: their name, scale and zero point, and the D in between."""

    inputs: tuple[str, ...]
    covered: tuple[Node, ...]
    constants: Mapping[str, Array]


def match(view: View, node: Node) -> Answer:
    """A mean or sum that a QuantizeLinear follows."""
    quantize = quantize_after(view, node.outputs[0])
    if quantize is None:
        return None
    if refusal := single_consumer(view, node.outputs[0]):
        return refusal
    source, y = source_of(view, node), read_affine(view, quantize)
    attributes = attributes_of(view, node)
    if isinstance(source, Refusal):
        return source
    if isinstance(y, Refusal):
        return y
    if isinstance(attributes, Refusal):
        return attributes
    if refusal := per_tensor(quantize, y):
        return refusal
    (names,), constants = with_zero_points(view, ((quantize, y),))
    op = FUSED[node.op.removesuffix("OfCodes")]
    inputs = (*source.inputs, *names)
    fused = Node(node.id, op, inputs, quantize.outputs, attributes)
    covered = (*source.covered, node, quantize)
    return Replacement(covered, (fused,), {**source.constants, **constants})


def source_of(view: View, node: Node) -> Source | Refusal:
    """What a mean reads: a DequantizeLinear of its own, or (R36 was there before) codes."""
    if node.op.endswith("OfCodes"):
        return Source(node.inputs, (), {})
    dequantize = view.producer(node.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return Refusal(
            "pattern", f"input {node.inputs[0]!r} of {node.id} is not dequantized codes"
        )
    x = read_affine(view, dequantize)
    if isinstance(x, Refusal):
        return x
    if refusal := (
        per_tensor(dequantize, x)
        or _summable(dequantize, x)
        or own_dequantize(view, dequantize)
    ):
        return refusal
    (names,), constants = with_zero_points(view, ((dequantize, x),))
    return Source((dequantize.inputs[0], *names), (dequantize,), constants)


def _summable(node: Node, x: Affine) -> Refusal | None:
    """G6: float32 sums of the real values must stay normal numbers."""
    scale = abs(float(x.scale[0]))
    if _SMALLEST <= scale <= _LARGEST:
        return None
    return Refusal(
        "G6", f"the scale {scale:.9g} of {node.id} leaves float32 in sums and means"
    )


def attributes_of(view: View, node: Node) -> Mapping[str, Any] | Refusal:
    """G1, G11: the attributes on codes; the axes of a reduction become one of them."""
    if not node.op.startswith("Reduce") or node.op.endswith("OfCodes"):
        return node.attributes
    axes: Any = node.attributes.get("axes", ())
    if name := node.input(1):
        constant = view.constant(name)
        if constant is None:
            return Refusal("G1", f"the axes {name!r} of {node.id} are computed, not constant")
        axes = tuple(int(each) for each in constant.reshape(-1))
    if not axes and node.attributes.get("noop_with_empty_axes", 0):
        return Refusal("G11", f"{node.id} reduces no axis (noop_with_empty_axes)")
    return {"axes": axes, "keepdims": node.attributes.get("keepdims", 1)}


RULE = Rule(
    "R14",
    "mean or sum between DequantizeLinear and QuantizeLinear",
    "X1",
    (*FUSED, *(f"{op}OfCodes" for op in FUSED)),
    match,
)
