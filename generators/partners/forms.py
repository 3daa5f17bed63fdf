"""Partners in other operators that mean the same: claim ``form``.

QLinearConv(x, w, b) = Q(Conv(DQ(x), DQ(w), DQ(b))) with b in steps of xs * ws, and QLinearMatMul
likewise, by the text of the standard.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from corpus.case import Array
from generators.choices import Choices
from generators.partners.partner import Partner, Places
from generators.partners.surgery import Surgery, input_name

AXIS_OPSET = 13  # DequantizeLinear along an axis
_MEANS = {"QLinearConv": "Conv", "QLinearMatMul": "MatMul"}


def as_qdq(surgery: Surgery, choices: Choices) -> Places | None:
    """A QLinear operator as DequantizeLinear, the operator on reals, and QuantizeLinear."""
    for place, node in enumerate(surgery.graph.node):
        if node.op_type in _MEANS and not node.domain and _fits(surgery, node):
            nodes = list(surgery.graph.node)
            nodes[place : place + 1] = _spelled(surgery, node)
            del surgery.graph.node[:]
            surgery.graph.node.extend(nodes)
            return {}
    return None


def _fits(surgery: Surgery, node: onnx.NodeProto) -> bool:
    """Whether every parameter is a constant, and one of a whole tensor or one that has an axis."""
    axis = 0 if node.op_type == "QLinearConv" else 1
    w = surgery.constant(node, 3)
    params = [surgery.constant(node, n) for n in (1, 2, 4, 5, 6, 7)]
    if w is None or any(each is None for each in params) or w.ndim <= axis:
        return False
    whole = [each for n, each in enumerate(params) if n not in (2, 3)]
    sizes = {each.size for each in params[2:4] if each is not None}
    if any(each is not None and each.size != 1 for each in whole) or len(sizes) != 1:
        return False
    bias = surgery.constant(node, 8)
    if input_name(node, 8) and bias is None:
        return False
    size = sizes.pop()
    return size == 1 or (surgery.opset >= AXIS_OPSET and size == w.shape[axis])


def _spelled(surgery: Surgery, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    name = node.name or node.output[0]
    axis = 0 if node.op_type == "QLinearConv" else 1
    made = [
        _dequantize(surgery, node, (0, 1, 2), f"{name}_dx", None),
        _dequantize(surgery, node, (3, 4, 5), f"{name}_dw", axis),
    ]
    if input_name(node, 8):
        made.append(_bias(surgery, node, f"{name}_db"))
    main = helper.make_node(
        _MEANS[node.op_type], [each.output[0] for each in made], [f"{name}_real"], f"{name}_f"
    )
    main.attribute.extend(node.attribute)
    quantize = helper.make_node(
        "QuantizeLinear", [f"{name}_real", *node.input[6:8]], node.output, f"{name}_q"
    )
    return [*made, main, quantize]


def _dequantize(
    surgery: Surgery,
    node: onnx.NodeProto,
    places: tuple[int, ...],
    name: str,
    axis: int | None,
) -> onnx.NodeProto:
    scale = surgery.constant(node, places[1])
    is_many = axis is not None and scale is not None and scale.size > 1
    inputs = [node.input[each] for each in places]
    for index in places[1:]:
        array = surgery.constant(node, index)
        if (
            array is not None and array.size == 1 and array.shape
        ):  # a vector would have an axis
            inputs[places.index(index)] = _scalar(surgery, node.input[index], array)
    attributes = {"axis": axis} if is_many else {}
    return helper.make_node("DequantizeLinear", inputs, [name], name, **attributes)


def _bias(surgery: Surgery, node: onnx.NodeProto, name: str) -> onnx.NodeProto:
    """The bias in steps of xs * ws, a float32 product."""
    xs, ws = surgery.constant(node, 1), surgery.constant(node, 4)
    product = np.asarray(xs, np.float32).reshape(-1)[0] * np.asarray(ws, np.float32)
    many = product.size > 1
    scale = _new(surgery, f"{name}_s", product if many else product.reshape(()))
    attributes = {"axis": 0} if many else {}
    return helper.make_node(
        "DequantizeLinear", [node.input[8], scale], [name], name, **attributes
    )


def _scalar(surgery: Surgery, name: str, array: Array) -> str:
    return _new(surgery, f"{name}_scalar", array.reshape(()))


def _new(surgery: Surgery, name: str, array: Array) -> str:
    if name not in {each.name for each in surgery.graph.initializer}:
        surgery.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    return name


FORMS = (Partner("in Q/DQ form", "form", as_qdq),)
