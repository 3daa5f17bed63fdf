"""What the rules that move Q and D share: which operators only move values, and where an axis goes."""

from collections.abc import Mapping
from typing import Any

from engine.fusion.match import Refusal, View
from engine.fusion.r40_equal_pair import Coding, read_coding
from engine.ir import Node

MOVERS = (
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)
"""Operators whose every output element is an element of their first input."""


def moved_coding(
    view: View, pair: Node, mover: Node, *, up: bool
) -> Mapping[str, Any] | Refusal:
    """G2: the attributes of a Q or D on the other side of a mover.

    One scale for the tensor goes anywhere; several keep their axis through a Transpose only, which
    says where it goes (F106).
    """
    coding = read_coding(view, pair)
    if isinstance(coding, Refusal):
        return coding
    if is_per_tensor(coding):
        return pair.attributes
    perm = mover.attributes.get("perm")
    if mover.op != "Transpose" or not isinstance(perm, tuple):
        return Refusal(
            "G2",
            f"{pair.id} has {coding.scale.size} scales, whose axis {mover.op} {mover.id} moves",
        )
    if coding.block_size:
        return Refusal("G2", f"{pair.id} has blocks of {coding.block_size}, which do not move")
    axes = [int(each) for each in perm]
    axis = coding.axis % len(axes)
    return {**pair.attributes, "axis": axes[axis] if up else axes.index(axis)}


def is_per_tensor(coding: Coding) -> bool:
    """Whether there is one scale and one zero point."""
    return coding.scale.size == 1 and coding.zero_point.size == 1


def only_quantize(view: View, name: str) -> Node | Refusal | None:
    """G3: the QuantizeLinear that is a tensor's only reader; None where it has no such reader."""
    quantize = next((each for each in view.users(name) if each.op == "QuantizeLinear"), None)
    if quantize is None or quantize.inputs[0] != name:
        return None
    shared = view.why_shared(name)
    return Refusal("G3", f"{shared}, so it must exist in float") if shared else quantize
