"""Whether each QuantizeLinear and DequantizeLinear is one, as far as constants tell.

Their kernels check the same; but a rule that fuses one away needs its scale alone, and would let the rest pass.
"""

from collections.abc import Mapping

from engine.errors import InvalidModel
from engine.ir import Array, Graph, Node
from engine.kernels.number_types import Dtype
from engine.kernels.quantize_granularity import axis_of, read_granularity
from engine.kernels.quantize_parameters import code_type

CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")


def check_conversions(graph: Graph) -> None:
    """InvalidModel where the types or shapes of codes, scale and zero point do not fit together."""
    types: dict[str, Dtype] = {each.name: each.dtype for each in graph.inputs}
    for node in graph.nodes:
        if node.op not in CONVERSIONS:
            continue
        zero = graph.constants.get(node.input(2))
        if node.op == "QuantizeLinear":
            made = code_type(node, zero)
            if made is not None:
                types[node.outputs[0]] = made
        elif zero is not None:
            _check_types(node, zero, graph.constants, types)
        _check_shapes(node, zero, graph)


def _check_types(
    node: Node, zero: Array, constants: Mapping[str, Array], types: Mapping[str, Dtype]
) -> None:
    name = node.inputs[0]
    codes = constants[name].dtype if name in constants else types.get(name)
    if codes is not None and codes != zero.dtype:
        raise InvalidModel(
            f"{node.op} {node.id!r}: codes of type {codes}, a zero point of type {zero.dtype}"
        )


def _check_shapes(node: Node, zero: Array | None, graph: Graph) -> None:
    scale, codes = graph.constants.get(node.input(1)), graph.constants.get(node.inputs[0])
    if scale is None:
        return
    if zero is not None and zero.shape != scale.shape and max(zero.size, scale.size) > 1:
        raise InvalidModel(
            f"{node.op} {node.id!r}: a scale of shape {scale.shape}, a zero point of shape {zero.shape}"
        )
    if codes is not None and scale.ndim == 1 and scale.size > 1:
        axis_of(scale, codes.shape, read_granularity(node, graph.opset))
