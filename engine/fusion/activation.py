"""The activation between an operation and its QuantizeLinear, as bounds in output codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.fusion.guards import per_tensor, read_affine
from engine.fusion.match import Refusal, View
from engine.fusion.r01_conv import quantize_after
from engine.ir import Node
from engine.kernels.elementwise import clip_bounds
from engine.kernels.quantize_linear import quantize_linear


@dataclass(frozen=True, slots=True)
class OutputActivation:
    """An activation: its operator, its bounds in output codes, the type of these, its real bounds."""

    op: str
    low: int
    high: int
    dtype: np.dtype[Any]
    bounds: tuple[float, float]

    @property
    def attributes(self) -> Mapping[str, Any]:
        """As attributes of the fused node."""
        codes = {"activation": self.op, "low": self.low, "high": self.high}
        return {**codes, "bounds": self.bounds}


def activation_after(view: View, conv: Node) -> tuple[Node, Node] | None:
    """The Relu or Clip behind a node, and the QuantizeLinear behind that."""
    for node in view.users(conv.outputs[0]):
        if node.op in ("Relu", "Clip") and node.inputs[0] == conv.outputs[0]:
            quantize = quantize_after(view, node.outputs[0])
            if quantize:
                return node, quantize
    return None


def activation_codes(view: View, node: Node, quantize: Node) -> OutputActivation | Refusal:
    """The bounds of an activation as codes of the output."""
    y = read_affine(view, quantize)
    if isinstance(y, Refusal):
        return y
    if refusal := per_tensor(quantize, y):
        return refusal
    bounds = clip_bounds(node, view.graph.opset, view.constants)
    if bounds is None:
        return Refusal("G1", f"a bound of Clip {node.id} is computed, not constant")
    if np.isnan(bounds).any():
        return Refusal("G6", f"Clip {node.id} has bounds {bounds}")
    low, high = quantize_linear(np.array(bounds, np.float32), y.scale[0], y.zero_point[0])
    return OutputActivation(node.op, int(low), int(high), y.dtype, bounds)
