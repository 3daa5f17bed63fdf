"""Convolutions and products of dequantized codes as ConvInteger and MatMulInteger.

``Conv(sx (qx - zx), sw (qw - zw)) + b = sx sw ConvInteger(qx, qw, zx, zw) + b``, likewise products: what
engines compute on codes, whatever follows, and whatever their fusion had to look through.
"""

from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import helper, numpy_helper

from corpus.case import Array, Case
from generators.partners.surgery import Surgery, attribute, input_name

_CODES = (np.dtype(np.int8), np.dtype(np.uint8))
_F = np.float32


@dataclass(frozen=True, slots=True)
class _Codes:
    """A tensor of codes, by name or as a constant, and what its reals are made with."""

    name: str
    constant: Array | None
    scale: Array
    zero_point: Array
    axis: int


def in_integers(case: Case) -> Case:
    """The case with every convolution and product of dequantized 8-bit codes on integers.

    It is for the data of this case alone: second operands that are inputs become constants.
    """
    surgery = Surgery(case)
    nodes: list[onnx.NodeProto] = []
    for node in list(surgery.graph.node):
        made = _made_of(surgery, node) if node.op_type in _WAYS and not node.domain else None
        nodes += made or [node]
    if len(nodes) == len(surgery.graph.node):
        return case
    del surgery.graph.node[:]
    surgery.graph.node.extend(nodes)
    return surgery.case({})


def _made_of(surgery: Surgery, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
    left, right = (_codes(surgery, input_name(node, n)) for n in (0, 1))
    if left is None or right is None or right.constant is None or left.scale.size != 1:
        return None
    return _WAYS[node.op_type](surgery, node, left, right)


def _codes(surgery: Surgery, name: str) -> _Codes | None:
    """Where a tensor of reals comes from, through Identity and products with a number."""
    node = surgery.producer(name)
    if node is None or node.domain or not node.input:
        return None
    if node.op_type == "Identity":
        return _codes(surgery, node.input[0])
    if node.op_type == "Mul":
        return _multiplied(surgery, node)
    if node.op_type != "DequantizeLinear" or attribute(node, "block_size", 0):
        return None
    scale, given = surgery.constant(node, 1), surgery.constant(node, 2)
    if scale is None or scale.dtype != _F or (given is None and input_name(node, 2)):
        return None
    codes, name = _constant(surgery, node.input[0])
    known = codes if codes is not None else given
    if known is None or known.dtype not in _CODES:
        return None
    zero_point = np.zeros(scale.shape, known.dtype) if given is None else given
    axis = attribute(node, "axis", 1)
    return _Codes(name, codes, scale, zero_point, axis if isinstance(axis, int) else 1)


def _multiplied(surgery: Surgery, node: onnx.NodeProto) -> _Codes | None:
    for one, other in ((0, 1), (1, 0)):
        factor, found = surgery.constant(node, one), _codes(surgery, node.input[other])
        if found is not None and factor is not None and factor.size == 1:
            return replace(found, scale=found.scale * factor.reshape(()))
    return None


def _constant(surgery: Surgery, name: str) -> tuple[Array | None, str]:
    """The codes that a tensor is in this case, perhaps through Identity; else None; and its name."""
    node = surgery.producer(name)
    while node is not None and node.op_type == "Identity":
        array = surgery.constant(node, 0)
        if array is not None:
            return array, name
        name = node.input[0]
        node = surgery.producer(name)
    if name in surgery.inputs:
        return surgery.inputs[name], name
    found = [each for each in surgery.graph.initializer if each.name == name]
    return (np.asarray(numpy_helper.to_array(found[0])) if found else None), name


def _convolution(
    surgery: Surgery, node: onnx.NodeProto, x: _Codes, w: _Codes
) -> list[onnx.NodeProto] | None:
    if w.constant is None or (w.scale.size > 1 and w.axis % w.constant.ndim != 0):
        return None
    column = (-1, *(1,) * (w.constant.ndim - 2))
    scale = (x.scale.reshape(()) * w.scale).reshape(column if w.scale.size > 1 else ())
    bias = input_name(node, 2)
    return _of_sums(surgery, node, "ConvInteger", (x, w), (w.constant, scale), bias, column)


def _product(
    surgery: Surgery, node: onnx.NodeProto, a: _Codes, b: _Codes
) -> list[onnx.NodeProto] | None:
    turned = attribute(node, "transB", 0)
    if b.constant is None or b.constant.ndim < 2:
        return None
    if b.scale.size > 1 and b.axis % b.constant.ndim != b.constant.ndim - (2 if turned else 1):
        return None
    weights = np.swapaxes(b.constant, -1, -2) if turned else b.constant
    alpha, beta = (_number(node, name) for name in ("alpha", "beta"))
    scale = np.asarray(a.scale.reshape(()) * b.scale * alpha)
    bias = input_name(node, 2)
    before = []
    if attribute(node, "transA", 0):
        turned_a = f"{node.output[0]}_t"
        before.append(helper.make_node("Transpose", [a.name], [turned_a], turned_a))
        a = replace(a, name=turned_a)
    if bias and beta != 1:
        bias = f"{node.output[0]}_beta"
        number = _new(surgery, f"{bias}_number", np.asarray(beta))
        before.append(helper.make_node("Mul", [node.input[2], number], [bias], bias))
    made = _of_sums(surgery, node, "MatMulInteger", (a, b), (weights, scale), bias, ())
    return [*before, *made]


def _number(node: onnx.NodeProto, name: str) -> np.float32:
    value = attribute(node, name, 1.0)
    return _F(value) if isinstance(value, float) else _F(1)


def _of_sums(
    surgery: Surgery,
    node: onnx.NodeProto,
    op: str,
    operands: tuple[_Codes, _Codes],
    given: tuple[Array, Array],
    bias: str,
    column: tuple[int, ...],
) -> list[onnx.NodeProto]:
    """Integer sums, made real, scaled, and the bias added, which ``column`` lays along the channels."""
    name, (weights, scale) = node.output[0], given
    w = _new(surgery, f"{name}_w", weights)
    zeros = [_new(surgery, f"{name}_z{n}", _zero(each)) for n, each in enumerate(operands)]
    sums = helper.make_node(
        op, [operands[0].name, w, *zeros], [f"{name}_i"], node.name or name
    )
    if op == "ConvInteger":
        sums.attribute.extend(node.attribute)
    step = _new(surgery, f"{name}_s", scale)
    to = onnx.TensorProto.FLOAT
    made = [
        sums,
        helper.make_node("Cast", [f"{name}_i"], [f"{name}_f"], f"{name}_f", to=to),
        helper.make_node("Mul", [f"{name}_f", step], [f"{name}_r"], f"{name}_r"),
    ]
    if not bias:
        made[-1].output[0] = name
        return made
    if column:
        shape = _new(surgery, f"{name}_shape", np.asarray(column, np.int64))
        made.append(helper.make_node("Reshape", [bias, shape], [f"{name}_b"], f"{name}_b"))
        bias = f"{name}_b"
    return [*made, helper.make_node("Add", [f"{name}_r", bias], [name], f"{name}_a")]


def _zero(codes: _Codes) -> Array:
    zero_point = codes.zero_point
    return zero_point.reshape(()) if zero_point.size == 1 else zero_point.reshape(-1)


def _new(surgery: Surgery, name: str, array: Array) -> str:
    surgery.graph.initializer.append(
        numpy_helper.from_array(np.ascontiguousarray(array), name)
    )
    return name


_WAYS = {"Conv": _convolution, "MatMul": _product, "Gemm": _product}
