"""R55: ``D -> Relu | Clip`` becomes D where no code lies outside of the bounds.

The codes stand for ``s (qmin - z)`` to ``s (qmax - z)``: bounds at or beyond these change nothing, as
where a Sigmoid has scale 1/256 and zero point qmin, or a Relu6 the scale 6/255. R44 and R45 are the same
before a QuantizeLinear.
"""

import numpy as np

from engine.arithmetic import RANGES
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.operands import one_scale
from engine.ir import Node
from engine.kernels.dequantize_linear import dequantize_linear
from engine.kernels.elementwise import clip_bounds


def match(view: View, node: Node) -> Answer:
    """A Relu or Clip behind a DequantizeLinear."""
    dequantize = view.producer(node.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return None
    edge = one_scale(view, dequantize)
    if isinstance(edge, Refusal):
        return edge
    bounds = clip_bounds(node, view.graph.opset, view.constants)
    if bounds is None:
        return Refusal("G1", f"a bound of Clip {node.id} is computed, not constant")
    affine = edge[1]
    ends = np.array(RANGES[affine.dtype]).astype(affine.dtype)
    low, high = dequantize_linear(ends, affine.scale[0], affine.zero_point[0])
    inside = (float(bounds[0]) - float(low), float(high) - float(bounds[1]))
    steps = tuple(each / float(affine.scale[0]) for each in inside)
    if not view.by_stage("rewrite.covers", covers, *steps):
        return Refusal(
            "G11",
            f"{node.op} {node.id} keeps {bounds[0]:.9g} to {bounds[1]:.9g}, {dequantize.id} gives "
            f"{low:.9g} to {high:.9g}",
        )
    same = Node(node.id, "Identity", node.inputs[:1], node.outputs, {})
    return Replacement((node,), (same,))


def covers(low: float, high: float) -> bool:
    """Whether an activation keeps every code, whose bounds lie so many steps inside of the ends."""
    return low <= 0 and high <= 0


RULE = Rule("R55", "activation that every code keeps", "X0", ("Relu", "Clip"), match)
