"""R40: ``D -> Q`` with identical parameters becomes nothing.

``sat(rne(fl(fl(q - z) * s) / s) + z) == q``: two roundings move a quotient below 255 by far less
than a half. Identical means bit-equal scales, zero points and types (G5); ``255 * s`` must not
overflow (G6).
"""

import numpy as np

from engine.fusion.guards import read_affine
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node

_LARGEST = np.finfo(np.float32).max / 256


def match(view: View, quantize: Node) -> Answer:
    """A QuantizeLinear that undoes the DequantizeLinear in front of it."""
    dequantize = view.producer(quantize.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return None
    if refusal := why_different(view, dequantize, quantize) or own_dequantize(
        view, dequantize
    ):
        return refusal
    return same_codes(dequantize, quantize)


def same_codes(dequantize: Node, quantize: Node) -> Replacement:
    """The codes in front of the pair are those behind it."""
    source = dequantize.inputs[:1]
    identity = Node(quantize.id, "Identity", source, quantize.outputs, {})
    return Replacement((dequantize, quantize), (identity,))


def why_different(view: View, first: Node, second: Node) -> Refusal | None:
    """G5: a Q and a D must have the same scale, zero point, type and axis."""
    a, b = read_affine(view, first), read_affine(view, second)
    if isinstance(a, Refusal):
        return a
    if isinstance(b, Refusal):
        return b
    names = f"{first.id} and {second.id}"
    if a.dtype != b.dtype:
        return Refusal("G5", f"{names} have {a.dtype} and {b.dtype} codes")
    for what, left, right in (
        ("scale", a.scale, b.scale),
        ("zero point", a.zero_point, b.zero_point),
    ):
        if left.shape != right.shape or (left != right).any():
            return Refusal(
                "G5", f"{names} differ: {what} {left.tolist()} and {right.tolist()}"
            )
    axes = [each.attributes.get("axis", 1) for each in (first, second)]
    if a.scale.size > 1 and axes[0] != axes[1]:
        return Refusal("G5", f"{names} differ: axis {axes[0]} and {axes[1]}")
    if a.scale.max() > _LARGEST:
        return Refusal(
            "G6", f"the scale {a.scale.max()} of {first.id} overflows float32 times 255"
        )
    return None


RULE = Rule(
    "R40", "DequantizeLinear undone by QuantizeLinear", "X0", ("QuantizeLinear",), match
)
