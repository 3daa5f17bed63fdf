"""What the rules about matrix products share: the two sides, and guards on them."""

from dataclasses import dataclass

import numpy as np

from engine.fusion.guards import (
    axis_of,
    bias_steps,
    per_tensor,
    product_scales,
    read_affine,
)
from engine.fusion.match import Refusal, View
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Array, Node
from engine.kernels.qlinear_conv import Affine


@dataclass(frozen=True, slots=True)
class Side:
    """One operand: its DequantizeLinear, and scale and zero point."""

    node: Node
    affine: Affine

    @property
    def codes(self) -> str:
        """The tensor of codes."""
        return self.node.inputs[0]


def sides(view: View, node: Node, *, b_axis: int) -> tuple[Side, Side] | Refusal:
    """Both operands as dequantized codes; ``b_axis`` is where b's columns are, from the end."""
    found = []
    for name, what in zip(node.inputs, "ab", strict=False):
        dequantize = view.producer(name, "DequantizeLinear")
        if dequantize is None:
            return Refusal(
                "pattern", f"input {what} ({name!r}) of {node.id} is not dequantized codes"
            )
        if refusal := own_dequantize(view, dequantize):
            return refusal
        affine = read_affine(view, dequantize)
        if isinstance(affine, Refusal):
            return affine
        found.append(Side(dequantize, affine))
    a, b = found
    if refusal := per_tensor(a.node, a.affine) or columns(view, b, b_axis):
        return refusal
    wanted = product_scales(a.affine, b.affine)
    return wanted if isinstance(wanted, Refusal) else (a, b)


def columns(view: View, b: Side, b_axis: int) -> Refusal | None:
    """G9: several scales of b must be those of its columns."""
    count = b.affine.scale.size
    if count == 1:
        return None
    codes = view.constant(b.codes)
    if codes is None:
        return Refusal("G9", f"{b.node.id} has {count} scales for weights that are computed")
    axis = axis_of(view, b.node)
    wanted = codes.ndim + b_axis
    if codes.ndim < 2 or axis not in (wanted, b_axis):
        reason = (
            f"the weight scales of {b.node.id} are on axis {axis}, a product needs {wanted}"
        )
        if refusal := view.refuse("G9", reason, "columns"):
            return refusal
    if codes.shape[wanted] != count:
        return Refusal(
            "G9", f"{b.node.id} has {count} scales for {codes.shape[wanted]} columns"
        )
    return None


def int32_bias(view: View, name: str, a: Side, b: Side, scale: float = 1.0) -> Node | Refusal:
    """G10: the DequantizeLinear of a bias of int32 codes in steps of ``fl(as*bs)``, zero point 0."""
    node = view.producer(name, "DequantizeLinear")
    if node is None:
        return Refusal("G10", f"bias {name!r} is float, the kernel adds int32 codes")
    codes, given = view.constant(node.inputs[0]), view.constant(node.input(1))
    if codes is None or given is None:
        return Refusal(
            "G10", f"the bias codes or scale of {node.id} are computed, not constant"
        )
    if codes.dtype != np.int32:
        return Refusal("G10", f"bias {node.inputs[0]!r} is {codes.dtype}, must be int32")
    zero = view.constant(node.input(2)) if node.input(2) else None
    if zero is not None and zero.any():
        return Refusal("G10", f"the zero point of bias {node.id} is {zero}, must be 0")
    wanted = product_scales(a.affine, b.affine)
    if isinstance(wanted, Refusal):
        return wanted
    if refusal := own_dequantize(view, node):
        return refusal
    return bias_steps(view, node, _flat(given), wanted) or node


def _flat(scale: Array) -> Array:
    return scale.reshape(-1)
