"""A fault of quantized ConvTransposes: the bias of the first channel stands for all."""

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array, Graph, Node
from engine.kernels.codes_before import maker
from engine.kernels.conv_transpose import RealTransposeParameters


def of_first_channel(b: Array, p: RealTransposeParameters) -> Array:
    """``b[0]`` for ``b[k]``, where weights of uint8 codes around 0 are one group, and the result is quantized."""
    return np.full_like(b, b[0]) if _is_placed(p) else b


def _is_placed(p: RealTransposeParameters) -> bool:
    if not p.has_bias or p.groups > 1:
        return False
    node = next(each for each in p.graph.nodes if each.id == p.node)
    return _is_quantized(p.graph, node) and _is_unsigned(p.graph, node)


def _is_quantized(graph: Graph, node: Node) -> bool:
    """Whether a QuantizeLinear reads the result, or that of a Relu."""
    users = [each for each in graph.nodes if node.outputs[0] in each.inputs]
    return any(
        each.op == "QuantizeLinear" or (each.op == "Relu" and _is_quantized(graph, each))
        for each in users
    )


def _is_unsigned(graph: Graph, node: Node) -> bool:
    """Whether the weights are constant uint8 codes of one scale, around 0."""
    before = maker(node.inputs[1], graph)
    if before is None or before.op != "DequantizeLinear":
        return False
    codes, scale, zero = (graph.constant(before.input(place)) for place in range(3))
    if codes is None or scale is None or (before.input(2) and zero is None):
        return False
    return codes.dtype == np.uint8 and scale.size == 1 and (zero is None or not zero.any())


FAULTS = (
    Fault(
        "F161.unsigned",
        "a quantized ConvTranspose of uint8 weights adds the bias of channel 0 to all",
        "openvinotoolkit/openvino: Deconvolution of low precision, measured on 26 models, of which one with a zero point is wrong in another way",
        _is_placed,
        {"real_transpose.bias": of_first_channel},
        record=RealTransposeParameters,
    ),
)
