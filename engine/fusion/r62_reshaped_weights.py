"""R62: ``D(w, in blocks) -> Reshape -> Conv``: weights quantized as a matrix become float weights at load.

The form of block-quantized convolutions (opencv_zoo): blocks run along the rows of ``(M, C * taps)``,
not along an axis of the weights, so no integer kernel has one multiplier for a channel. The constant is
what the DequantizeLinear gives, bit for bit.
"""

from dataclasses import replace

import numpy as np

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.ir import Node
from engine.kernels.dequantize_linear import dequantize_operator
from engine.kernels.operator import Kernel, Setting
from engine.kernels.stages import correct_stages


def match(view: View, reshape: Node) -> Answer:
    """A Reshape of a constant that is dequantized."""
    dequantize = view.producer(reshape.inputs[0], "DequantizeLinear")
    if dequantize is None or view.constant(dequantize.inputs[0]) is None:
        return None
    if not any(
        each.op in ("Conv", "ConvTranspose") for each in view.users(reshape.outputs[0])
    ):
        return None
    arrays = [view.constant(name) for name in dequantize.inputs]
    shape = view.constant(reshape.inputs[1])
    if shape is None or any(each is None for each in arrays):
        return Refusal("G1", f"a parameter of {dequantize.id} or {reshape.id} is computed")
    wanted = [int(n) for n in shape]
    if 0 in wanted:
        return Refusal("G11", f"{reshape.id} copies a dimension of the matrix")
    graph = replace(view.graph, constants=view.constants)
    setting = Setting(graph, view.profile, correct_stages(view.profile))
    built = dequantize_operator(dequantize, setting)
    with np.errstate(all="ignore"):
        real = (built.run if isinstance(built, Kernel) else built)(*arrays)
    return Replacement((dequantize, reshape), (), {reshape.outputs[0]: real.reshape(wanted)})


RULE = Rule("R62", "reshaped weights dequantized at load", "X0", ("Reshape",), match)
