import numpy as np
import onnx

from harness.cut import cut, nodes_between, tensor_types
from tests.harness.benches import padded


def test_a_prefix_keeps_the_graph_inputs_and_drops_what_comes_after() -> None:
    case = padded()
    prefix = cut(case.proto(), case.inputs, ["xr"])
    assert [node.op_type for node in prefix.proto().graph.node] == ["DequantizeLinear"]
    assert list(prefix.inputs) == ["x"]
    onnx.checker.check_model(prefix.proto(), full_check=True)


def test_one_operation_takes_given_tensors_as_inputs() -> None:
    case = padded()
    c = np.zeros((1, 3, 4, 4), np.float32)
    alone = cut(case.proto(), {**case.inputs, "c": c}, ["y"], tensor_types(case.proto()))
    assert [node.op_type for node in alone.proto().graph.node] == ["QuantizeLinear"]
    assert list(alone.inputs) == ["c"]
    assert {each.name for each in alone.proto().graph.initializer} == {"ys", "yz"}
    onnx.checker.check_model(alone.proto(), full_check=True)


def test_nodes_between_stops_at_the_given_tensors() -> None:
    graph = padded().proto().graph
    found = nodes_between(graph, {"xr": None, "x": None}, ["c"])
    assert [node.op_type for node in found] == ["DequantizeLinear", "Conv"]
