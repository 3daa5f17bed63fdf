"""R50: QuantizeLinear of a constant is computed when the model is loaded.

By the kernel that would run, hence exact in every profile. DequantizeLinear of a constant is left to
the rules: they need its codes.
"""

from dataclasses import replace

import numpy as np

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.ir import Node
from engine.kernels.operator import Setting
from engine.kernels.quantize_linear import quantize_operator
from engine.kernels.stages import correct_stages


def match(view: View, quantize: Node) -> Answer:
    """A QuantizeLinear all of whose inputs are constants."""
    x = view.constant(quantize.inputs[0])
    if x is None:
        return None
    parameters = [view.constant(name) if name else None for name in quantize.inputs[1:]]
    for name, each in zip(quantize.inputs[1:], parameters, strict=True):
        if name and each is None:
            return Refusal("G1", f"{name!r} of {quantize.id} is computed, not constant")
    graph = replace(view.graph, constants=view.constants)
    setting = Setting(graph, view.profile, correct_stages(view.profile))
    with np.errstate(all="ignore"):
        codes = quantize_operator(quantize, setting).run(x, *parameters)
    return Replacement((quantize,), (), {quantize.outputs[0]: codes})


RULE = Rule("R50", "QuantizeLinear of a constant", "X0", ("QuantizeLinear",), match)
