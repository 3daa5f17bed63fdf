"""R45: ``Clip(a, b) -> Q`` becomes Q where ``rne(a/s) + z <= qmin`` and ``rne(b/s) + z >= qmax``.

Rounding is monotone: what is clipped had the lowest or highest code anyway. The statement is about
rounded bounds, without a margin; rounded by the rule of the profile, which may multiply by a
reciprocal.
"""

import numpy as np

from engine.fusion.match import Answer, Refusal, Rule, View
from engine.fusion.r40_equal_pair import Coding
from engine.fusion.r44_relu_before_quantize import float32_coding, without
from engine.fusion.r55_covered_activation import covers
from engine.ir import Node
from engine.kernels.elementwise import clip_bounds
from engine.kernels.number_types import INTEGER_CODES


def match(view: View, quantize: Node) -> Answer:
    """A QuantizeLinear behind a Clip."""
    clip = view.producer(quantize.inputs[0], "Clip")
    if clip is None:
        return None
    bounds = clip_bounds(clip, view.graph.opset, view.constants)
    if bounds is None:
        return Refusal("G1", f"a bound of Clip {clip.id} is computed, not constant")
    if np.isnan(bounds).any() or bounds[0] > bounds[1]:
        return Refusal("G6", f"Clip {clip.id} has bounds {bounds}")
    y = float32_coding(view, quantize)
    if isinstance(y, Refusal):
        return y
    low, high = INTEGER_CODES[y.dtype]
    first, last = (_codes(view, y, each) for each in bounds)
    if not view.by_stage("rewrite.covers", covers, max(first) - low, high - min(last)):
        return Refusal(
            "G11",
            f"Clip {clip.id} keeps codes {max(*first, low):g} to {min(*last, high):g}, "
            f"{y.dtype} has {low} to {high}",
        )
    return without(clip, quantize)


def _codes(view: View, y: Coding, bound: float) -> list[float]:
    """The code of a bound for each scale, as it is before saturation."""
    scale, zero_point = y.scale, y.zero_point.astype(np.float32)
    if scale.size == zero_point.size == 1:
        scale, zero_point = scale.reshape(()), zero_point.reshape(())
    steps = view.profile.quantize(np.full(scale.shape, bound, np.float32), scale, zero_point)
    return [float(each) for each in np.asarray(steps).ravel()]


RULE = Rule("R45", "Clip that saturation covers", "X0", ("QuantizeLinear",), match)
