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
    axes = tuple(int(each) for each in perm)
    axis = view.by_stage(
        "rewrite.axis", follow, view, mover, coding.axis % len(axes), axes, up
    )
    return {**pair.attributes, "axis": axis}


def follow(view: View, mover: Node, axis: int, perm: tuple[int, ...], up: bool) -> int:
    """Where the axis of scales goes through a Transpose: up, from its output to its input."""
    return perm[axis] if up else perm.index(axis)


def dequantize_behind(
    view: View, dequantize: Node, parts: tuple[str, str], attributes: Mapping[str, Any]
) -> tuple[Node, ...]:
    """The D behind what moved its codes, ``parts`` being these codes and the reals of them."""
    codes, reals = parts
    inputs = (codes, *dequantize.inputs[1:])
    after = Node(dequantize.id, "DequantizeLinear", inputs, (reals,), attributes)
    nodes: tuple[Node, ...] = view.by_stage("rewrite.behind", alone, view, dequantize, after)
    return nodes


def alone(view: View, before: Node, dequantize: Node) -> tuple[Node, ...]:
    """What follows the codes that were moved: the DequantizeLinear that stood before."""
    return (dequantize,)


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
