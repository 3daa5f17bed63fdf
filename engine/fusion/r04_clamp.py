"""R04: ``Conv -> Relu | Clip -> Q`` becomes a clamp of the output codes.

``low = max(qmin, rne(a/ys) + yz)`` and ``high = min(qmax, rne(b/ys) + yz)``: quantization is
monotone, hence it commutes with min and max.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.fusion.guards import per_tensor, read_affine
from engine.fusion.match import Answer, Refusal, Rule, View
from engine.fusion.r01_conv import fuse
from engine.ir import Node
from engine.kernels.elementwise import clip_bounds
from engine.kernels.qlinear_conv import Activation
from engine.kernels.quantize_linear import quantize_linear


@dataclass(frozen=True, slots=True)
class OutputActivation:
    """An activation in codes, and the type of these codes."""

    codes: Activation
    dtype: np.dtype[Any]


def match(view: View, quantize: Node) -> Answer:
    """A Conv and an activation with constant bounds."""
    found = activation_of(view, quantize)
    if found is None:
        return None
    conv, node = found
    activation = activation_codes(view, node, quantize)
    if isinstance(activation, Refusal):
        return activation
    return fuse(view, "R04", conv, (node,), quantize, activation.codes)


def activation_of(view: View, quantize: Node) -> tuple[Node, Node] | None:
    """The Conv and the Relu or Clip in front of a QuantizeLinear."""
    node = view.producers.get(quantize.inputs[0])
    if node is None or node.op not in ("Relu", "Clip"):
        return None
    conv = view.producer(node.inputs[0], "Conv")
    return (conv, node) if conv else None


def activation_codes(view: View, node: Node, quantize: Node) -> OutputActivation | Refusal:
    """The bounds of an activation as codes of the output."""
    y = read_affine(view, quantize)
    if isinstance(y, Refusal):
        return y
    if refusal := per_tensor(quantize, y):
        return refusal
    bounds = clip_bounds(node, view.graph)
    if bounds is None:
        return Refusal("G1", f"a bound of Clip {node.id} is computed, not constant")
    if np.isnan(bounds).any():
        return Refusal("G6", f"Clip {node.id} has bounds {bounds}")
    low, high = quantize_linear(np.array(bounds, np.float32), y.scale[0], y.zero_point[0])
    return OutputActivation(Activation(node.op, int(low), int(high)), y.dtype)


RULE = Rule("R04", "convolution with an activation, clamped in codes", match)
