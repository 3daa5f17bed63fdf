"""Tiny models for tests of files."""

from dataclasses import replace

import numpy as np
from onnx import ModelProto, TensorProto, helper

from corpus.case import Case
from generators.operators.conv import ConvSpec, build


def conv_case() -> Case:
    return build(ConvSpec(image=(2, 3), x_kind="random", w_kind="random"))


def renamed(case: Case, old: str, new: str) -> Case:
    """The same case with a tensor called ``new`` instead of ``old``."""
    model = case.proto()
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = new if value.name == old else value.name
    inputs = {new if name == old else name: array for name, array in case.inputs.items()}
    return replace(case.with_model(model), inputs=inputs)


def identity(elem_type: int, shape: list[int | str] | None, name: str = "x") -> ModelProto:
    """y = Identity(x)."""
    x = helper.make_tensor_value_info(name, elem_type, shape)
    y = helper.make_tensor_value_info("y", elem_type, shape)
    graph = helper.make_graph([helper.make_node("Identity", [name], ["y"])], "g", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def with_external_data(location: str, **more: str) -> ModelProto:
    """y = x + k, where k is four float32 in the file ``location``."""
    k = TensorProto(name="k", data_type=TensorProto.FLOAT, dims=[4])
    k.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        k.external_data.add(key=key, value=value)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    node = helper.make_node("Add", ["x", "k"], ["y"])
    graph = helper.make_graph([node], "g", [x], [y], [k])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


FOUR = np.arange(4, dtype=np.float32)
