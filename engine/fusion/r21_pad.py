"""R21: ``D -> Pad -> Q`` with identical parameters pads the codes.

A constant border holds what the QuantizeLinear makes of its value; the other modes repeat elements.
"""

import numpy as np

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.moving import only_quantize
from engine.fusion.r19_movement import on_codes
from engine.fusion.r40_equal_pair import read_coding
from engine.ir import Array, Node
from engine.kernels.number_types import INTEGER_CODES
from engine.kernels.quantize_linear import quantize_linear


def match(view: View, pad: Node) -> Answer:
    """A Pad between a DequantizeLinear and a QuantizeLinear."""
    dequantize = view.producer(pad.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return None
    quantize = only_quantize(view, pad.outputs[0])
    if quantize is None or isinstance(quantize, Refusal):
        return quantize
    answer = on_codes(view, dequantize, pad, quantize)
    if isinstance(answer, Refusal) or pad.attributes.get("mode", "constant") != "constant":
        return answer
    code = _code(view, pad, quantize)
    if isinstance(code, Refusal):
        return code
    (node,) = answer.added
    name = view.new_name(f"{pad.key}_value")
    attributes = {each: value for each, value in pad.attributes.items() if each != "value"}
    if "pads" in attributes:  # attributes before opset 11
        attributes["value"] = float(code)
        same = Node(node.id, "Pad", node.inputs, node.outputs, attributes)
        return Replacement(answer.covered, (same,))
    inputs = (*node.inputs[:2], name, *node.inputs[3:])
    same = Node(node.id, "Pad", inputs, node.outputs, attributes)
    return Replacement(answer.covered, (same,), {name: code})


def _code(view: View, pad: Node, quantize: Node) -> Array | Refusal:
    """The code of the border's value."""
    value = np.float32(0)
    if name := pad.input(2):
        constant = view.constant(name)
        if constant is None:
            return Refusal("G1", f"the value {name!r} of {pad.id} is computed, not constant")
        value = np.float32(constant.reshape(()))
    given = pad.attributes.get("value")
    if isinstance(given, float):
        value = np.float32(given)
    coding = read_coding(view, quantize)
    if isinstance(coding, Refusal):
        return coding
    if coding.dtype not in INTEGER_CODES or coding.dtype.itemsize > 2:
        return Refusal(
            "G7", f"{quantize.id} has {coding.dtype} codes; a border needs integers"
        )
    scale, zero_point = coding.scale.reshape(()), coding.zero_point.reshape(())
    return np.asarray(view.by_stage("rewrite.border", border_code, value, scale, zero_point))


def border_code(value: np.float32, scale: Array, zero_point: Array) -> Array:
    """What a QuantizeLinear makes of the value of a border."""
    return np.asarray(quantize_linear(np.asarray(value), scale, zero_point))


RULE = Rule("R21", "Pad between an equal pair", "X0", ("Pad",), match)
