"""Breaches of what holds for every graph: names, order, types, the operator set."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import onnx
from onnx import helper

from generators.breaches.places import main_node, some_node
from generators.choices import Choices

NO_TYPE = 99
NO_OPSET = 9999


def _cycle(model: onnx.ModelProto, choices: Choices) -> bool:
    node = some_node(model, choices)
    assert node is not None
    node.input[0] = next(filter(None, node.output))
    return True


def _dangling_input(model: onnx.ModelProto, choices: Choices) -> bool:
    node = some_node(model, choices)
    assert node is not None
    node.input[0] = "made_by_nobody"
    return True


def _dangling_output(model: onnx.ModelProto, _choices: Choices) -> bool:
    model.graph.output[0].name = "made_by_nobody"
    return True


def _made_twice(model: onnx.ModelProto, choices: Choices) -> bool:
    node = some_node(model, choices)
    assert node is not None
    twin = model.graph.node.add()
    twin.CopyFrom(node)
    twin.name = f"{node.name}_twin"
    return True


def _two_initializers(model: onnx.ModelProto, choices: Choices) -> bool:
    if not model.graph.initializer:
        return False
    twin = choices.pick(model.graph.initializer)
    model.graph.initializer.append(twin)
    return True


def _two_inputs(model: onnx.ModelProto, choices: Choices) -> bool:
    model.graph.input.append(choices.pick(model.graph.input))
    return True


def _out_of_order(model: onnx.ModelProto, _choices: Choices) -> bool:
    nodes = list(model.graph.node)
    made = set(nodes[0].output)
    if not any(made & set(each.input) for each in nodes[1:]):
        return False
    del model.graph.node[:]
    model.graph.node.extend([*nodes[1:], nodes[0]])
    return True


def _unknown_operator(model: onnx.ModelProto, choices: Choices) -> bool:
    node = some_node(model, choices)
    assert node is not None
    node.op_type, node.domain = "NoSuchOperator", ""
    return True


def _unknown_attribute(model: onnx.ModelProto, choices: Choices) -> bool:
    node = main_node(model) or some_node(model, choices, ("DequantizeLinear",))
    if node is None:
        return False
    node.attribute.append(helper.make_attribute("no_such_attribute", 1))
    return True


def _attribute_twice(model: onnx.ModelProto, _choices: Choices) -> bool:
    node = next((each for each in model.graph.node if each.attribute), None)
    if node is None:
        return False
    node.attribute.add().CopyFrom(node.attribute[0])
    return True


def _attribute_type(model: onnx.ModelProto, _choices: Choices) -> bool:
    nodes = (each for each in model.graph.node if each.attribute and not each.domain)
    node = next(nodes, None)
    if node is None:
        return False
    given = node.attribute[0]
    other = 1 if given.type == onnx.AttributeProto.STRING else "a text"
    given.CopyFrom(helper.make_attribute(given.name, other))
    return True


def _no_input(model: onnx.ModelProto, choices: Choices) -> bool:
    node = some_node(model, choices)
    assert node is not None
    node.input[0] = ""
    return True


def _no_inputs(model: onnx.ModelProto, choices: Choices) -> bool:
    node = some_node(model, choices)
    assert node is not None
    del node.input[:]
    return True


def _too_many_inputs(model: onnx.ModelProto, choices: Choices) -> bool:
    node = some_node(model, choices, ("QuantizeLinear", "DequantizeLinear"))
    if node is None:
        return False
    node.input.extend([node.input[0]] * 4)
    return True


def _short_data(model: onnx.ModelProto, _choices: Choices) -> bool:
    for each in model.graph.initializer:
        if len(each.raw_data) > 1:
            each.raw_data = each.raw_data[:-1]
            return True
    return False


def _no_type(model: onnx.ModelProto, choices: Choices) -> bool:
    if not model.graph.initializer:
        return False
    choices.pick(model.graph.initializer).data_type = NO_TYPE
    return True


def _negative_size(model: onnx.ModelProto, _choices: Choices) -> bool:
    for each in model.graph.initializer:
        if each.dims and each.dims[0] > 0:
            each.dims[0] = -each.dims[0]
            return True
    return False


def _no_operator_set(model: onnx.ModelProto, _choices: Choices) -> bool:
    del model.opset_import[:]
    return True


def _future_opset(model: onnx.ModelProto, _choices: Choices) -> bool:
    model.opset_import[0].version = NO_OPSET
    return True


_ORDER = "IR, Graphs: nodes are topologically sorted and form no cycle"
_NAMES = "IR, Names: a tensor has one name and one place that makes it"
_NODES = "IR, Nodes: inputs and attributes are those of the operator's schema"
BREACHES: Mapping[str, tuple[str, Callable[[onnx.ModelProto, Choices], bool]]] = (
    MappingProxyType(
        {
            "a node that reads its own output": (_ORDER, _cycle),
            "a node in front of what it reads": (_ORDER, _out_of_order),
            "an input that nobody makes": (_NAMES, _dangling_input),
            "an output that nobody makes": (_NAMES, _dangling_output),
            "a tensor made twice": (_NAMES, _made_twice),
            "two initializers of one name": (_NAMES, _two_initializers),
            "two inputs of one name": (_NAMES, _two_inputs),
            "an unknown operator": ("IR, Operator Sets: it is in none", _unknown_operator),
            "an unknown attribute": (_NODES, _unknown_attribute),
            "an attribute given twice": (_NODES, _attribute_twice),
            "an attribute of another type": (_NODES, _attribute_type),
            "a required input left out": (_NODES, _no_input),
            "no inputs": (_NODES, _no_inputs),
            "too many inputs": (_NODES, _too_many_inputs),
            "an initializer with too few bytes": ("IR, TensorProto: raw_data", _short_data),
            "an initializer of an unknown type": ("IR, TensorProto: data_type", _no_type),
            "an initializer of negative size": ("IR, TensorProto: dims", _negative_size),
            "no operator set": ("IR, Models: opset_import is not empty", _no_operator_set),
            "an operator set of the future": ("IR, Operator Sets: versions", _future_opset),
        }
    )
)
