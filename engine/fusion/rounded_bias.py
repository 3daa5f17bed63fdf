"""A float bias rounded to int32, ``qb = rne(b / steps)``: what R51 and R08b do to the node that adds it."""

import numpy as np

from engine.fusion.match import Refusal, Replacement, View
from engine.ir import Array, Node


def rounded_bias(
    view: View, node: Node, name: str, bias: Array, steps: Array
) -> Replacement | Refusal:
    """The node with the DequantizeLinear of int32 codes for its input ``name``, a constant row.

    Stops where a code is beyond int32 (G10).
    """
    steps = view.by_stage(
        "rewrite.bias_steps", steps_of_products, node, bias.reshape(-1), steps
    )
    codes = np.rint(bias.reshape(-1).astype(np.float64) / steps)
    if not (np.abs(codes) < 2.0**31).all():
        k = int((~(np.abs(codes) < 2.0**31)).argmax())
        reason = f"bias {name!r} is {codes[k]:g} steps in channel {k}, beyond int32"
        if refusal := view.refuse("G10", reason, "int32"):
            return refusal
        codes = view.by_stage("rewrite.int32", clipped_to_int32, codes)
    given = view.constant(name)
    view.excuse_where(lambda: given is not None and bool((codes * steps == given).all()))
    stored = view.by_stage("rewrite.int32_bias", as_int32, codes)
    if stored.dtype.kind == "f":
        return _still_real(view, node, name, bias, (stored * steps).astype(np.float32))
    return _in_codes(view, node, name, stored, steps)


def steps_of_products(node: Node, bias: Array, steps: Array) -> Array:
    """What codes of the bias count; a fault that keeps it real has steps of its own for some nodes."""
    return steps


def as_int32(codes: Array) -> Array:
    """The type of the rounded bias; a fault that rounds it and leaves it a real gives reals."""
    return codes.astype(np.int32)


def clipped_to_int32(codes: Array) -> Array:
    """What a bias beyond int32 becomes that is quantized all the same."""
    return np.clip(codes, -(2.0**31), 2.0**31 - 1)


def _in_codes(view: View, node: Node, name: str, codes: Array, steps: Array) -> Replacement:
    real, stored, scale = (
        view.new_name(f"{node.key}_{name}{each}") for each in ("", "_codes", "_scale")
    )
    axis = {"axis": 0} if steps.size > 1 else {}
    after = Node(node.id, "DequantizeLinear", (stored, scale), (real,), axis)
    constants = {stored: codes, scale: steps if axis else steps.reshape(())}
    return Replacement((node,), (after, _with(node, name, real)), constants)


def _still_real(
    view: View, node: Node, name: str, bias: Array, rounded: Array
) -> Replacement | Refusal:
    if (rounded == bias.reshape(-1)).all():
        return Refusal("bias", f"{name!r} is rounded already")
    real = view.new_name(f"{node.key}_{name}")
    return Replacement((node,), (_with(node, name, real),), {real: rounded})


def _with(node: Node, name: str, other: str) -> Node:
    inputs = tuple(other if each == name else each for each in node.inputs)
    return Node(node.id, node.op, inputs, node.outputs, node.attributes)
