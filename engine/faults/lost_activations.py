"""Faults of activations that are fused into a combination of codes: a slope is lost, or all of a Sigmoid."""

from engine.faults.rewriting import rewrite_fault
from engine.fusion.match import Replacement, View
from engine.fusion.r01_conv import quantize_after
from engine.fusion.r10_binary import FUSED
from engine.fusion.r41_stripped_pair import is_constant
from engine.fusion.r44_relu_before_quantize import without
from engine.ir import Node


def relu_of_no_slope(view: View, node: Node) -> Replacement | None:
    """``max(x, 0)`` for a LeakyRelu, or a PRelu of one slope, between dequantized codes and a QuantizeLinear."""
    leaky = view.only_user(node.outputs[0], "LeakyRelu", "PRelu")
    if leaky is None or leaky.inputs[0] != node.outputs[0] or not _has_one_slope(view, leaky):
        return None
    alone = view.only_user(leaky.outputs[0]) and quantize_after(view, leaky.outputs[0])
    if not (alone and all(_is_of_codes(view, each) for each in node.inputs)):
        return None
    relu = Node(leaky.id, "Relu", leaky.inputs[:1], leaky.outputs, {})
    return Replacement((leaky,), (relu,))


def no_sigmoid(view: View, quantize: Node) -> Replacement | None:
    """The codes of a combination, dequantized and quantized again, where a Sigmoid is in between."""
    sigmoid = view.producer(quantize.inputs[0], "Sigmoid")
    reals = sigmoid and view.producer(sigmoid.inputs[0], "DequantizeLinear")
    if sigmoid is None or reals is None:
        return None
    names = (sigmoid.outputs[0], reals.outputs[0], reals.inputs[0])
    alone = all(view.only_user(each) for each in names)
    return without(sigmoid, quantize) if alone and _combines(view, reals.inputs[0]) else None


def _combines(view: View, codes: str) -> bool:
    """Whether the model makes codes of two others element by element, perhaps with a Relu, fused by now or not."""
    made = {name: each for each in view.graph.nodes for name in each.outputs}
    quantize = made.get(codes)
    before = (
        made.get(quantize.inputs[0]) if quantize and quantize.op == "QuantizeLinear" else None
    )
    if before is not None and before.op == "Relu":
        before = made.get(before.inputs[0])
    if before is None or before.op not in FUSED:
        return False
    if not len(before.inputs) == len(set(before.inputs)) == 2:
        return False
    operands = [made.get(each) for each in before.inputs]
    return all(
        each is not None
        and each.op == "DequantizeLinear"
        and not is_constant(view, each.inputs[0])
        for each in operands
    )


def _has_one_slope(view: View, leaky: Node) -> bool:
    if leaky.op == "LeakyRelu":
        return True
    slope = view.constant(leaky.inputs[1])
    return slope is not None and slope.size == 1


def _is_of_codes(view: View, name: str) -> bool:
    made = view.producer(name, "DequantizeLinear")
    return made is not None and not is_constant(view, name)


FAULTS = (
    rewrite_fault(
        "F82.combination",
        "a leaky relu behind a combination of codes is computed as relu",
        "opencv/opencv 5.x fuses its ReLU layer, which has a slope, as a relu, measured",
        slope=relu_of_no_slope,
    ),
    rewrite_fault(
        "F178",
        "a Sigmoid behind the codes of a combination is left out",
        "opencv/opencv 5.x: Eltwise2Int8 takes a Sigmoid in, and computes none, measured",
        dropped=no_sigmoid,
    ),
)
