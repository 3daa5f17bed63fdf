"""R13: ``D -> Softmax -> Q`` becomes QLinearSoftmax, which carries the axis and the opset.

``y = sat(rne(softmax(xs (q - xz)) / ys) + yz)``, the real value rounded once. Below opset 13 the axis
splits the tensor into a matrix; the opset goes along so that it still does.
"""

from engine.fusion.guards import single_consumer, with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.operands import dequantized, moderate, one_scale, one_type
from engine.fusion.r01_conv import quantize_after
from engine.ir import Node
from engine.kernels.softmax import axis_of, default_axis


def match(view: View, node: Node) -> Answer:
    """A Softmax that a QuantizeLinear follows."""
    quantize = quantize_after(view, node.outputs[0])
    if quantize is None:
        return None
    edges = dequantized(view, node, node.inputs)
    if isinstance(edges, Refusal):
        return edges
    if refusal := single_consumer(view, node.outputs[0]):
        return refusal
    y = one_scale(view, quantize)
    if isinstance(y, Refusal):
        return y
    every = (*edges, y)
    if refusal := one_type(every) or moderate(every):
        return refusal
    (x_names, y_names), constants = with_zero_points(view, every)
    dequantize, opset = edges[0][0], view.graph.opset
    fused = Node(
        node.id,
        "QLinearSoftmax",
        (dequantize.inputs[0], *x_names, *y_names),
        quantize.outputs,
        {"axis": axis_of(node, default_axis(opset)), "opset": opset},
    )
    return Replacement((dequantize, node, quantize), (fused,), constants)


RULE = Rule("R13", "softmax of codes", "X1", ("Softmax",), match)
