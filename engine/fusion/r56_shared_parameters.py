"""R56: ``D -> op`` without Q gets ``Q -> D`` with the parameters of its input behind it.

PyTorch's backends share one list of patterns. Most of it is other rules here: convolution or linear
with batch norm and relu R01 to R06 and R09, R24; add or mul with relu R10, R11; matmul R06; cat R17;
functions of one variable R12, R13, R55; moves and maxima, whose output has the parameters of the
input without any change of value, R15, R16, R19, R26, R30. What remains are averages, clamps and
linear interpolation, whose output PyTorch rounds to the codes of the input. X2, opt-in: that
rounding, by half a step at most, is not in the graph.

Source:
    pytorch torch/ao/quantization/backend_config, the operators that share qparams.
"""

from engine.fusion.guards import per_tensor, read_affine, with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.ir import Node

_SHARING = ("AveragePool", "GlobalAveragePool", "ReduceMean", "Resize", "Relu", "Clip")


def match(view: View, node: Node) -> Answer:
    """An operator on dequantized codes whose output nobody quantizes.

    Once for each: R41 may take the pair away again.
    """
    if "R56" in node.rules:
        return None
    dequantize = view.producer(node.inputs[0], "DequantizeLinear")
    users = view.users(node.outputs[0])
    if dequantize is None or any(each.op == "QuantizeLinear" for each in users):
        return None
    x = read_affine(view, dequantize)
    if isinstance(x, Refusal):
        return x
    if refusal := per_tensor(dequantize, x):
        return refusal
    (parameters,), constants = with_zero_points(view, ((dequantize, x),))
    name = node.outputs[0]
    real, codes = (view.new_name(f"{name}_{each}") for each in ("shared", "rounded"))
    added = (
        Node(node.id, node.op, node.inputs, (real,), node.attributes),
        Node(node.id, "QuantizeLinear", (real, *parameters), (codes,), {}),
        Node(node.id, "DequantizeLinear", (codes, *parameters), (name,), {}),
    )
    return Replacement((node,), added, constants)


RULE = Rule("R56", "output in the codes of the input", "X2", _SHARING, match, opt_in=True)
