"""R24: ``Conv(w, b) -> BatchNormalization | Mul | Add`` folds into weights and bias, before quantization.

``w' = a w``, ``b' = a b + c`` for each output channel. Only float weights: behind a DequantizeLinear they
are codes with a scale, which the fold would leave (G8).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.ir import Array, Node


@dataclass(frozen=True, slots=True)
class Affine:
    """``y = slope x + offset`` for each channel, float64."""

    slope: Array
    offset: Array


def match(view: View, node: Node) -> Answer:
    """What is affine in each channel, behind a Conv."""
    for real in node.inputs[: 1 if node.op == "BatchNormalization" else 2]:
        conv = view.producer(real, "Conv")
        if conv is not None:
            return _folded(view, conv, node, real)
    return None


def _folded(view: View, conv: Node, node: Node, real: str) -> Answer:
    w = view.constant(conv.inputs[1])
    b = view.constant(conv.input(2)) if conv.input(2) else None
    if w is None or w.dtype != np.float32 or (conv.input(2) and b is None):
        what = "dequantized or computed" if w is None else f"of type {w.dtype}"
        return Refusal("G8", f"the weights of {conv.id} are {what}, not float32 constants")
    if refusal := single_consumer(view, conv.outputs[0]):
        return refusal
    affine = _affine(view, node, real, len(w), w.ndim - 2)
    if isinstance(affine, Refusal):
        return affine
    slope = affine.slope.reshape(-1, *(1,) * (w.ndim - 1))
    bias = np.zeros(len(w)) if b is None else b.astype(np.float64)
    names = [view.new_name(f"{node.key}_{each}") for each in ("weights", "bias")]
    arrays = (w * slope, affine.slope * bias + affine.offset)
    constants = {
        name: each.astype(np.float32) for name, each in zip(names, arrays, strict=True)
    }
    inputs = (conv.inputs[0], *names)
    same = Node(conv.id, "Conv", inputs, node.outputs[:1], conv.attributes)
    return Replacement((conv, node), (same,), constants)


def _affine(view: View, node: Node, real: str, channels: int, rank: int) -> Affine | Refusal:
    ones, zeros = np.ones(channels), np.zeros(channels)
    if node.op == "BatchNormalization":
        if node.attributes.get("training_mode", 0) or len(node.outputs) > 1:
            return Refusal("G11", f"{node.id} is in training mode")
        arrays = [view.constant(name) for name in node.inputs[1:5]]
        if any(each is None for each in arrays):
            return Refusal("G1", f"a parameter of {node.id} is computed, not constant")
        scale, bias, mean, variance = (np.asarray(a, np.float64) for a in arrays)
        epsilon: Any = node.attributes.get("epsilon", 1e-5)
        slope = scale / np.sqrt(variance + epsilon)
        return Affine(slope, bias - mean * slope)
    other = node.inputs[1] if node.inputs[0] == real else node.inputs[0]
    constant = view.constant(other)
    if constant is None or constant.dtype != np.float32:
        return Refusal("G1", f"{other!r} of {node.id} is computed, not a float32 constant")
    row = _by_channel(constant, channels, rank)
    if row is None:
        return Refusal("G9", f"{other!r} {constant.shape} is not one value a channel")
    return Affine(row, zeros) if node.op == "Mul" else Affine(ones, row)


def _by_channel(constant: Array, channels: int, rank: int) -> Array | None:
    """One value for each channel, if that is how the constant broadcasts."""
    if constant.size == 1 and constant.ndim <= rank + 2:
        return np.full(channels, np.float64(constant.reshape(())))
    shape = (1,) * (rank + 2 - constant.ndim) + constant.shape
    if shape != (1, channels, *(1,) * rank):
        return None
    return constant.astype(np.float64).reshape(-1)


RULE = Rule(
    "R24",
    "affine operator folded into a float convolution",
    "X1",
    ("BatchNormalization", "Mul", "Add"),
    match,
)
