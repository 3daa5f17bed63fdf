import json
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.backends import tensorrt_limits, tensorrt_plan
from tests.harness.backends.models import constant, convolution, dequantized_convolution

X = np.array([5, 7, 9, 3], np.int8).reshape(1, 1, 2, 2)


def symmetric(**changes: Any) -> onnx.ModelProto:
    """What TensorRT takes: Q/DQ, int8, every zero point 0."""
    given = {"x": "i1", "xz": 0, "yz": 0, "activation": "Relu", **changes}
    return onnx.ModelProto.FromString(dequantized_convolution([[[[2]]]], **given))


def test_explicit_symmetric_quantization_is_claimed() -> None:
    assert tensorrt_limits.unclaimed(symmetric()) == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"xz": 3}, "DequantizeLinear dx: its zero point xz is not 0"),
        ({"yz": 1}, "QuantizeLinear q: its zero point yz is not 0"),
        ({"wz": -1}, "DequantizeLinear dw: its zero point wz is not 0"),
        ({"x": "u1"}, "DequantizeLinear dx: codes of type uint8 are not taken"),
    ],
)
def test_other_codes_are_not(changes: dict[str, Any], reason: str) -> None:
    assert tensorrt_limits.unclaimed(symmetric(**changes)) == reason


def test_quantized_operators_are_not_imported() -> None:
    made = onnx.ModelProto.FromString(convolution([[[[2]]]], x="i1", xz=0, yz=0))
    assert tensorrt_limits.unclaimed(made).startswith("QLinearConv c: not imported; write it")
    made.graph.node[0].op_type, made.graph.node[0].domain = "QGemm", "com.microsoft"
    said = tensorrt_limits.unclaimed(made)
    assert said == "QGemm c: operators of domain com.microsoft are not imported"


def test_a_zero_point_left_out_means_uint8_where_a_quantize_has_no_output_type() -> None:
    made = symmetric()
    quantize, dequantize = made.graph.node[-1], made.graph.node[0]
    del quantize.input[2], dequantize.input[2]
    said = tensorrt_limits.unclaimed(made)
    assert said == "QuantizeLinear q: codes of type uint8 are not taken"
    quantize.attribute.append(helper.make_attribute("output_dtype", TensorProto.INT8))
    assert tensorrt_limits.unclaimed(made) == ""


def test_a_zero_point_that_is_computed_is_not_taken() -> None:
    made = symmetric()
    made.graph.node[0].input[2] = "x"
    assert (
        tensorrt_limits.unclaimed(made)
        == "DequantizeLinear dx: its zero point x is no constant"
    )


def test_borders_need_a_type_of_tensorrt() -> None:
    made = symmetric()
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    said = tensorrt_limits.unclaimed(made)
    assert said == "x: double is no type of TensorRT's inputs and outputs"


def two_convolutions() -> onnx.ModelProto:
    """Dequantized convolutions ``c1`` and ``c2`` in a row; the last Relu has no name."""
    q, dq = "QuantizeLinear", "DequantizeLinear"
    nodes = [
        helper.make_node(dq, ["x", "s", "z"], ["xr"], name="dx"),
        helper.make_node(dq, ["w", "s", "z"], ["wr"], name="dw"),
        helper.make_node("Conv", ["xr", "wr"], ["t1"], name="c1"),
        helper.make_node(q, ["t1", "s", "z"], ["q1"], name="q1"),
        helper.make_node(dq, ["q1", "s", "z"], ["r1"], name="d1"),
        helper.make_node("Conv", ["r1", "wr"], ["t2"], name="c2"),
        helper.make_node("Relu", ["t2"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 1, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 2, 2])],
        [
            numpy_helper.from_array(np.array([[[[2]]]], np.int8), "w"),
            constant("s", 0.5, "f4"),
            constant("z", 0, "i1"),
        ],
    )
    return helper.make_model(graph)


DETAILED = [
    {"Name": "Reformatting CopyNode for Input Tensor 0 to c1", "LayerType": "Reformat"},
    {
        "Name": "w + dw + c1",
        "LayerType": "CaskConvolution",
        "Metadata": "[ONNX Layer: dx]\u001e[ONNX Layer: dw]\u001e[ONNX Layer: c1]\u001e[ONNX Layer: q1]",
    },
    {
        "Name": "c2 + node_of_y",
        "LayerType": "CaskConvolution",
        "Metadata": "[ONNX Layer: d1]\u001e[ONNX Layer: c2]\u001e[ONNX Layer: node_of_y]",
    },
]


@pytest.mark.parametrize("layers", [DETAILED, ["dx + dw + c1 + q1", "d1 + c2 + node_of_y"]])
def test_layers_are_read_back_as_the_nodes_they_were_made_of(layers: list[Any]) -> None:
    printed = json.dumps({"Layers": layers, "Bindings": ["x", "y"]})
    steps = tensorrt_plan.plan(two_convolutions(), printed)
    assert [each["nodes"] for each in steps] == [
        ["dx", "dw", "c1", "q1"],
        ["dw", "d1", "c2", "y"],
    ]
    assert [(each["inputs"], each["outputs"]) for each in steps] == [
        (["x"], ["q1"]),
        (["q1"], ["y"]),
    ]
    kinds = {each["kind"] for each in steps}
    assert kinds == ({"CaskConvolution"} if layers is DETAILED else {"Layer"})


def test_an_engine_without_layers_has_no_plan() -> None:
    assert tensorrt_plan.plan(two_convolutions(), "{}") == []


def test_it_runs_where_there_is_a_device() -> None:
    pytest.importorskip("tensorrt")
    pytest.importorskip("cuda")
    from harness.backends import tensorrt

    try:
        made = tensorrt.adapter("tensorrt")
    except RuntimeError as error:
        pytest.skip(f"no NVIDIA GPU: {error}")
    model = symmetric()
    found = made.run(model.SerializeToString(), {"x": X}, {})["y"]
    assert [int(each) for each in found.ravel()] == [2, 4, 4, 2]  # x / 2, ties to even
    (step, *_) = made.tap(model.SerializeToString(), {"x": X}, {})["plan"]
    assert "c" in step["nodes"]
