"""Where in a model something can be broken."""

from collections.abc import Collection, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from corpus.case import Array
from generators.choices import Choices

CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")


def some_node(
    model: onnx.ModelProto, choices: Choices, ops: Collection[str] = ()
) -> onnx.NodeProto | None:
    """A node that reads something, or one of these operators of the standard's."""
    found = [
        each
        for each in model.graph.node
        if each.input and (not ops or (each.op_type in ops and not each.domain))
    ]
    return choices.pick(found) if found else None


def main_node(model: onnx.ModelProto) -> onnx.NodeProto | None:
    """The first node of the standard's that does more than convert."""
    for node in model.graph.node:
        if node.op_type not in CONVERSIONS and not node.domain:
            return node
    return None


def initializer(model: onnx.ModelProto, name: str) -> onnx.TensorProto | None:
    """The initializer of that name."""
    return next((each for each in model.graph.initializer if each.name == name), None)


def attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto | None:
    """The node's attribute of that name."""
    return next((each for each in node.attribute if each.name == name), None)


def own_initializer(
    model: onnx.ModelProto, node: onnx.NodeProto, index: int
) -> onnx.TensorProto | None:
    """An input of a node as an initializer that nobody else reads."""
    if index >= len(node.input) or not node.input[index]:
        return None
    name = node.input[index]
    readers = sum(list(each.input).count(name) for each in model.graph.node)
    return initializer(model, name) if readers == 1 else None


def replace_array(tensor: onnx.TensorProto, array: Array) -> None:
    """Other data under the same name."""
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))


def lengthened(array: Array, axis: int) -> Array:
    """One more entry along an axis: the first again."""
    first = array.take([0], axis)
    return np.concatenate([array, first], axis)


def shape_of(model: onnx.ModelProto, name: str) -> Sequence[int] | None:
    """The shape of a graph input or an initializer."""
    if tensor := initializer(model, name):
        return tuple(tensor.dims)
    for each in model.graph.input:
        if each.name == name:
            return tuple(size.dim_value for size in each.type.tensor_type.shape.dim)
    return None
