"""R35: several Q of one tensor with identical parameters are one Q.

The key is everything that fixes the codes: scale, zero point, types, axis, block size and attributes
(F117).
"""

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r40_equal_pair import why_different
from engine.ir import Node


def match(view: View, quantize: Node) -> Answer:
    """A QuantizeLinear of a tensor that an earlier one quantizes too."""
    wanted: Node = view.by_stage("rewrite.quantizer", as_given, view, quantize)
    if wanted is not quantize:
        return Replacement((quantize,), (wanted,))
    nearest: Refusal | None = None
    for other in view.users(quantize.inputs[0]):
        if other.key == quantize.key:
            return nearest
        if other.op != "QuantizeLinear" or other.inputs[0] != quantize.inputs[0]:
            continue
        refusal = why_different(view, other, quantize) or _other_attributes(other, quantize)
        if refusal is None:
            same = Node(quantize.id, "Identity", other.outputs, quantize.outputs, {})
            return Replacement((quantize,), (same,))
        nearest = refusal
    return nearest


def as_given(view: View, quantize: Node) -> Node:
    """The QuantizeLinear whose parameters a QuantizeLinear takes: its own."""
    return quantize


def _other_attributes(first: Node, second: Node) -> Refusal | None:
    for name in ("saturate", "precision"):
        a, b = (each.attributes.get(name) for each in (first, second))
        if a != b:
            return Refusal("G5", f"{first.id} and {second.id} differ: {name} {a} and {b}")
    return None


RULE = Rule("R35", "equal QuantizeLinear of one tensor", "X0", ("QuantizeLinear",), match)
