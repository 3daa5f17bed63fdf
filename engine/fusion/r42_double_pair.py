"""R42: ``Q1 -> D1 -> Q2 -> D2`` with four identical parameters becomes ``Q1 -> D2``.

The safe subset of double-pair removal: pairs that differ are left alone, because one pair with
the intersection of both ranges rounds once where the graph rounds twice.
"""

from engine.fusion.match import Answer, Replacement, Rule, View
from engine.fusion.r40_equal_pair import same_codes, why_different, why_not_undone
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node


def match(view: View, quantize: Node) -> Answer:
    """The second of two pairs."""
    first = view.producer(quantize.inputs[0], "DequantizeLinear")
    if first is None:
        return None
    before = view.producer(first.inputs[0], "QuantizeLinear")
    if before is None:
        return None
    users = view.users(quantize.outputs[0])
    after = [each for each in users if each.op == "DequantizeLinear"]
    different = why_different(view, first, quantize)
    if different:
        merged: Replacement | None = view.by_stage(
            "rewrite.double_pair", keep_both, view, (before, first, quantize, *after)
        )
        return merged or (different if after else None)
    if not after:
        return None
    refusal = (
        why_different(view, before, first)
        or why_different(view, quantize, after[0])
        or why_not_undone(view, first, quantize)
        or own_dequantize(view, first)
    )
    if refusal:
        return refusal
    return same_codes(view, first, quantize)


def keep_both(view: View, pairs: tuple[Node, ...]) -> Replacement | None:
    """What two different pairs in a row become: nothing else."""
    return None


RULE = Rule("R42", "a second, identical pair", "X0", ("QuantizeLinear",), match)
