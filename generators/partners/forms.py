"""Partners in other operators that mean the same: claim ``form``.

QLinearConv(x, w, b) = Q(Conv(DQ(x), DQ(w), DQ(b))) with b in steps of xs * ws, and QLinearMatMul
likewise, by the text of the standard; those of com.microsoft by that of onnxruntime.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from corpus.case import Array, Case
from generators.choices import Choices
from generators.partners.partner import Partner, Places
from generators.partners.surgery import Surgery, attribute, input_name, set_attribute

AXIS_OPSET = 13  # DequantizeLinear along an axis
SOFTMAX_OPSET = 13  # before it an axis stands for all from it on
LAST = -1  # the axis of a QLinearSoftmax that says none
CONTRIB = "com.microsoft"


@dataclass(frozen=True, slots=True)
class _Spelling:
    """What a QLinear operator means: ``op`` of as many ``reals`` as it reads codes, rounded to codes.

    Inputs are codes, scale and zero point of each, and those of the result, with a bias perhaps,
    whose index is ``bias``. ``axis`` is that of the second operand's parameters; ``extra`` an
    attribute that the operator on reals lacks.
    """

    op: str
    reals: int
    axis: int | None = None
    extra: str = ""
    bias: int = 8

    @property
    def result(self) -> int:
        """The index of the result's scale."""
        return 3 * self.reals + (self.bias == 3 * self.reals)

    def axis_in(self, node: onnx.NodeProto) -> int | None:
        """The axis of the second operand's parameters, as it is stored."""
        return 0 if attribute(node, "transB", 0) else self.axis


_MEANS = {
    ("", "QLinearConv"): _Spelling("Conv", 2, axis=0),
    ("", "QLinearMatMul"): _Spelling("MatMul", 2, axis=1),
    (CONTRIB, "QGemm"): _Spelling("Gemm", 2, axis=1, bias=6),
    (CONTRIB, "QLinearAdd"): _Spelling("Add", 2),
    (CONTRIB, "QLinearMul"): _Spelling("Mul", 2),
    (CONTRIB, "QLinearSigmoid"): _Spelling("Sigmoid", 1),
    (CONTRIB, "QLinearLeakyRelu"): _Spelling("LeakyRelu", 1),
    (CONTRIB, "QLinearSoftmax"): _Spelling("Softmax", 1, extra="opset"),
    (CONTRIB, "QLinearAveragePool"): _Spelling("AveragePool", 1, extra="channels_last"),
    (CONTRIB, "QLinearGlobalAveragePool"): _Spelling(
        "GlobalAveragePool", 1, extra="channels_last"
    ),
}
_IN_STANDARD = {key: each for key, each in _MEANS.items() if key[0] == ""}


def as_qdq(surgery: Surgery, choices: Choices) -> Places | None:
    """A QLinear operator of the standard as DequantizeLinear, the operator on reals, and QuantizeLinear."""
    for place, node in enumerate(surgery.graph.node):
        spelling = _IN_STANDARD.get((node.domain, node.op_type))
        if spelling and _fits(surgery, node, spelling):
            _put(surgery, place, _spelled(surgery, node, spelling))
            return {}
    return None


def spelled_out(case: Case) -> Case:
    """The case with every QLinear operator that has constant parameters in Q/DQ form."""
    surgery = Surgery(case)
    place, before = 0, len(surgery.graph.node)
    while place < len(surgery.graph.node):
        node = surgery.graph.node[place]
        spelling = _MEANS.get((node.domain, node.op_type))
        made = [node]
        if spelling and _fits(surgery, node, spelling):
            made = _spelled(surgery, node, spelling)
        elif node.op_type == "QLinearConcat":
            made = _joined(surgery, node) or made
        if len(made) > 1:
            _put(surgery, place, made)
        place += len(made)
    return case if place == before else surgery.case({})


def whole_of(name: str) -> str:
    """The QLinear operator of which a node with this name is a part, if it is one."""
    return name.rpartition("_")[0] or name


def _joined(surgery: Surgery, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
    """A QLinearConcat as a Concat of reals; None where a parameter is computed, or no single one.

    Inputs are scale and zero point of the result, then codes, scale and zero point of each operand.
    """
    triples = [(n, n + 1, n + 2) for n in range(2, len(node.input), 3)]
    places = [0, 1, *(n for _, *pair in triples for n in pair)]
    params = [surgery.constant(node, n) for n in places]
    if any(each is None or each.size != 1 for each in params):
        return None
    name = node.name or node.output[0]
    reals = [_dequantize(surgery, node, each, f"{name}_d{each[0]}", None) for each in triples]
    inputs = [each.output[0] for each in reals]
    join = helper.make_node("Concat", inputs, [f"{name}_real"], f"{name}_f")
    join.attribute.extend(node.attribute)
    result = [f"{name}_real", *_whole(surgery, node, (0, 1))]
    quantize = helper.make_node("QuantizeLinear", result, node.output, f"{name}_q")
    return [*reals, join, quantize]


def _put(surgery: Surgery, place: int, made: list[onnx.NodeProto]) -> None:
    nodes = list(surgery.graph.node)
    nodes[place : place + 1] = made
    del surgery.graph.node[:]
    surgery.graph.node.extend(nodes)


def _fits(surgery: Surgery, node: onnx.NodeProto, spelling: _Spelling) -> bool:
    """Whether every parameter is a constant, and one of a whole tensor or one that has an axis."""
    along = (4, 5) if spelling.axis is not None else ()
    places = [n for n in range(1, 3 * spelling.reals) if n % 3]
    params = {
        n: surgery.constant(node, n) for n in (*places, spelling.result, spelling.result + 1)
    }
    if any(each is None for each in params.values()) or not _has_no_more(
        surgery, node, spelling
    ):
        return False
    whole = (each for n, each in params.items() if n not in along)
    if any(each is not None and each.size != 1 for each in whole):
        return False
    return not along or _fits_along(surgery, node, spelling)


def _has_no_more(surgery: Surgery, node: onnx.NodeProto, spelling: _Spelling) -> bool:
    """Whether the operator on reals means the same without the attribute that it lacks."""
    value = attribute(node, spelling.extra, 0)
    if spelling.extra == "opset":
        older = _is_older_softmax(node)
        return surgery.opset >= SOFTMAX_OPSET or older
    return value == 0


def _is_older_softmax(node: onnx.NodeProto) -> bool:
    value = attribute(node, "opset", 0)
    return isinstance(value, int) and value < SOFTMAX_OPSET


def _fits_along(surgery: Surgery, node: onnx.NodeProto, spelling: _Spelling) -> bool:
    """Whether the parameters of the second operand are one each, or one for each index of its axis."""
    w, axis = surgery.constant(node, 3), spelling.axis_in(node)
    if w is None or axis is None or w.ndim <= axis:
        return False
    bias = surgery.constant(node, spelling.bias)
    if input_name(node, spelling.bias) and (bias is None or bias.ndim > 1):
        return False
    given = (surgery.constant(node, n) for n in (4, 5))
    sizes = {each.size for each in given if each is not None}
    if len(sizes) != 1:
        return False
    size = sizes.pop()
    return size == 1 or (surgery.opset >= AXIS_OPSET and size == w.shape[axis])


def _spelled(
    surgery: Surgery, node: onnx.NodeProto, spelling: _Spelling
) -> list[onnx.NodeProto]:
    name = node.name or node.output[0]
    made = [
        _dequantize(
            surgery,
            node,
            (n, n + 1, n + 2),
            f"{name}_d{n}",
            spelling.axis_in(node) if n else None,
        )
        for n in range(0, 3 * spelling.reals, 3)
    ]
    if input_name(node, spelling.bias):
        made.append(_bias(surgery, node, spelling.bias, f"{name}_db"))
    made += _on_reals(surgery, node, spelling, [each.output[0] for each in made])
    result = _whole(surgery, node, (spelling.result, spelling.result + 1))
    quantize = helper.make_node(
        "QuantizeLinear", [f"{name}_real", *result], node.output, f"{name}_q"
    )
    return [*made, quantize]


def _on_reals(
    surgery: Surgery, node: onnx.NodeProto, spelling: _Spelling, reals: list[str]
) -> list[onnx.NodeProto]:
    """The operator on reals, in several nodes where it means something else in this opset."""
    name = node.name or node.output[0]
    if spelling.op == "Softmax" and _is_older_softmax(node) and surgery.opset >= SOFTMAX_OPSET:
        return _softmax_of_all_axes(node, reals[0], name)
    main = helper.make_node(spelling.op, reals, [f"{name}_real"], f"{name}_f")
    main.attribute.extend(each for each in node.attribute if each.name != spelling.extra)
    if spelling.op == "Softmax":  # its default is another one
        set_attribute(main, "axis", attribute(node, "axis", LAST))
    return [main]


def _softmax_of_all_axes(node: onnx.NodeProto, x: str, name: str) -> list[onnx.NodeProto]:
    """A Softmax over all axes from ``axis`` on, as before opset 13, for a model of today."""
    axis = attribute(node, "axis", LAST)
    return [
        helper.make_node("Shape", [x], [f"{name}_shape"], f"{name}_s"),
        helper.make_node("Flatten", [x], [f"{name}_rows"], f"{name}_r", axis=axis),
        helper.make_node("Softmax", [f"{name}_rows"], [f"{name}_soft"], f"{name}_f", axis=1),
        helper.make_node(
            "Reshape", [f"{name}_soft", f"{name}_shape"], [f"{name}_real"], f"{name}_b"
        ),
    ]


def _dequantize(
    surgery: Surgery,
    node: onnx.NodeProto,
    places: tuple[int, ...],
    name: str,
    axis: int | None,
) -> onnx.NodeProto:
    scale = surgery.constant(node, places[1])
    is_many = axis is not None and scale is not None and scale.size > 1
    inputs = [node.input[places[0]], *_whole(surgery, node, places[1:])]
    attributes = {"axis": axis} if is_many else {}
    return helper.make_node("DequantizeLinear", inputs, [name], name, **attributes)


def _whole(surgery: Surgery, node: onnx.NodeProto, places: tuple[int, ...]) -> list[str]:
    """The names of parameters; those of one element are scalars, for a vector would have an axis."""
    arrays = [(node.input[each], surgery.constant(node, each)) for each in places]
    return [
        _scalar(surgery, name, array)
        if array is not None and array.size == 1 and array.shape
        else name
        for name, array in arrays
    ]


def _bias(surgery: Surgery, node: onnx.NodeProto, place: int, name: str) -> onnx.NodeProto:
    """The bias in steps of alpha * xs * ws, a float32 product; alpha is that of a QGemm."""
    xs, ws = surgery.constant(node, 1), surgery.constant(node, 4)
    alpha = np.asarray(attribute(node, "alpha", 1.0), np.float32)
    product = alpha * np.asarray(xs, np.float32).reshape(-1)[0] * np.asarray(ws, np.float32)
    many = product.size > 1
    scale = _new(surgery, f"{name}_s", product if many else product.reshape(()))
    attributes = {"axis": 0} if many else {}
    return helper.make_node(
        "DequantizeLinear", [node.input[place], scale], [name], name, **attributes
    )


def _scalar(surgery: Surgery, name: str, array: Array) -> str:
    return _new(surgery, f"{name}_scalar", array.reshape(()))


def _new(surgery: Surgery, name: str, array: Array) -> str:
    if name not in {each.name for each in surgery.graph.initializer}:
        surgery.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    return name


FORMS = (Partner("in Q/DQ form", "form", as_qdq),)
