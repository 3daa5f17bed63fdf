import numpy as np
import onnx
from onnx import helper, numpy_helper

from corpus.case import Case
from harness.cut import cut, nodes_between
from tests.harness.benches import padded


def test_a_prefix_keeps_the_graph_inputs_and_drops_what_comes_after() -> None:
    case = padded()
    prefix = cut(case, ["xr"])
    assert [node.op_type for node in prefix.proto().graph.node] == ["DequantizeLinear"]
    assert list(prefix.inputs) == ["x"]
    onnx.checker.check_model(prefix.proto(), full_check=True)


def test_one_operation_takes_given_tensors_as_inputs() -> None:
    case = padded()
    c = np.zeros((1, 3, 4, 4), np.float32)
    alone = cut(case, ["y"], fed={"c": c})
    assert [node.op_type for node in alone.proto().graph.node] == ["QuantizeLinear"]
    assert list(alone.inputs) == ["c"]
    assert {each.name for each in alone.proto().graph.initializer} == {"ys", "yz"}
    onnx.checker.check_model(alone.proto(), full_check=True)


def test_nodes_between_stops_at_the_given_tensors() -> None:
    graph = padded().proto().graph
    found = nodes_between(graph, {"xr": None, "x": None}, ["c"])
    assert [node.op_type for node in found] == ["DequantizeLinear", "Conv"]


def test_what_shape_inference_does_not_know_has_its_shape_from_a_run() -> None:
    case = chain("QLinearGlobalAveragePool", "QLinearSigmoid")
    found = cut(case, ["m"]).proto().graph.output[0].type.tensor_type
    assert [each.dim_value for each in found.shape.dim] == [1, 3, 1, 1]
    assert found.elem_type == onnx.TensorProto.UINT8


def chain(*operators: str) -> Case:
    """x -> each of com.microsoft's operators in turn -> y; what lies between is m."""
    names = ["x", "m", "y"]
    constants = {"s": np.float32(0.5), "z": np.uint8(3)}
    nodes = [
        helper.make_node(op, [x, "s", "z", "s", "z"], [y], domain="com.microsoft")
        for op, x, y in zip(operators, names, names[1:], strict=False)
    ]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, (1, 3, 4, 5))],
        [helper.make_tensor_value_info("y", onnx.TensorProto.UINT8, (1, 3, 1, 1))],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in constants.items()
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return Case(model.SerializeToString(), {"x": np.ones((1, 3, 4, 5), np.uint8)})
