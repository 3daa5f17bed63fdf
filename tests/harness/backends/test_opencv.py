import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from harness.backends.protocol import Limit
from tests.harness.backends.models import convolution, dequantized_convolution

pytest.importorskip("cv2")

from harness.backends import opencv_dump
from harness.backends.opencv import OpenCV

X = np.array([5, 7, 9, 3], np.uint8).reshape(1, 1, 2, 2)
Y = [2, 3, 4, 1]  # (x - 3) / 2 + 1: no ties
DUMP = """{
   main_graph: {
      inputs: [
         "x" // <Input> CV_8UC1 [1 x 1 x 2 x 2]
      ],
      layers: [
         // op #0
         TransformLayout {
            name: "trlayout.0",
            C0: 8,
            inputs: [
               "x" // <Input> CV_8UC1 [1 x 1 x 2 x 2]
            ],
            outputs: [
               "x.block" // <Temp> CV_8UC1 BLOCK [1 x 1 x 2 x 2 x 8] (buf #0)
            ],
         },
         // op #1
         Conv2Int8 {
            name: "c",
            blobs: [
               CV_8SC1 [1 x 1 x 1 x 1]
            ],
            inputs: [
               "x.block", // <Temp> CV_8UC1 BLOCK [1 x 1 x 2 x 2 x 8] (buf #0)
               "ys" // <Const> CV_32FC1 []
            ],
            outputs: [
               "y" // <Output> CV_8UC1 BLOCK [1 x 1 x 2 x 2 x 8]
            ],
         }
      ]
   }
}
"""


@pytest.fixture(scope="module")
def opencv() -> OpenCV:
    return OpenCV()


@pytest.mark.parametrize("x", ["u1", "i1"])
def test_both_forms_by_hand(opencv: OpenCV, x: str) -> None:
    for made in (convolution([[[[2]]]], x=x), dequantized_convolution([[[[2]]]], x=x)):
        found = opencv.run(made, {"x": X.view(x)}, {})["y"]
        assert [int(each) for each in found.ravel()] == Y
        assert (found.dtype, found.shape) == (np.dtype(x), X.shape)


def test_one_and_three_dimensions(opencv: OpenCV) -> None:
    flat = convolution([[[2]]], x_shape=(1, 1, 4), y_shape=(1, 1, 4))
    deep = convolution([[[[[2]]]]], x_shape=(1, 1, 1, 2, 2), y_shape=(1, 1, 1, 2, 2))
    for made, shape in ((flat, (1, 1, 4)), (deep, (1, 1, 1, 2, 2))):
        found = opencv.run(made, {"x": X.reshape(shape)}, {})["y"]
        assert [int(each) for each in found.ravel()] == Y


def test_the_answer_does_not_change_under_the_next_run(opencv: OpenCV) -> None:
    made = convolution([[[[2]]]])
    first = opencv.run(made, {"x": X}, {})["y"]
    opencv.run(made, {"x": np.zeros_like(X)}, {})
    assert [int(each) for each in first.ravel()] == Y


def test_an_output_without_a_shape_is_inferred(opencv: OpenCV) -> None:
    made = onnx.ModelProto.FromString(convolution([[[[2]]]]))
    made.graph.output[0].type.tensor_type.ClearField("shape")
    found = opencv.run(made.SerializeToString(), {"x": X}, {})["y"]
    assert [int(each) for each in found.ravel()] == Y


def test_switches_take_effect(opencv: OpenCV) -> None:
    """The classic engine reads uint8 codes as int8, and its dump names no layers."""
    made = dequantized_convolution([[[[2]]]])
    plain = opencv.run(made, {"x": X}, {"disable": "winograd"})["y"]
    assert [int(each) for each in plain.ravel()] == Y
    classic = opencv.run(made, {"x": X}, {"disable": "graph-engine"})["y"]
    assert (classic.dtype, classic.shape) == (np.dtype(np.int8), X.shape)
    assert [each["kind"] for each in opencv.tap(made, {"x": X}, {})["plan"]] == ["Conv2Int8"]
    assert opencv.tap(made, {"x": X}, {"disable": "graph-engine"})["plan"] == []


def test_four_spatial_dimensions_are_a_limit(opencv: OpenCV) -> None:
    made = convolution([[[[[[2]]]]]], x_shape=[1] * 6, y_shape=[1] * 6)
    with pytest.raises(Limit, match="MAX_CONV_DIMS"):
        opencv.run(made, {"x": np.zeros([1] * 6, np.uint8)}, {})


def test_a_foreign_operator_is_a_limit(opencv: OpenCV) -> None:
    made = onnx.ModelProto.FromString(convolution([[[[2]]]]))
    made.graph.node[0].domain = "my.domain"
    with pytest.raises(Limit, match=r"domain my\.domain"):
        opencv.run(made.SerializeToString(), {"x": X}, {})


def test_an_empty_batch_gives_nothing_and_that_is_said(opencv: OpenCV) -> None:
    made = convolution([[[[2]]]], x_shape=(0, 1, 2, 2), y_shape=(0, 1, 2, 2))
    with pytest.raises(RuntimeError, match="forward returned nothing for y"):
        opencv.run(made, {"x": X[:0]}, {})


def test_a_dump_is_read() -> None:
    assert list(opencv_dump.layers(DUMP)) == [
        {
            "kind": "TransformLayout",
            "name": "trlayout.0",
            "inputs": ["x"],
            "outputs": ["x.block"],
        },
        {"kind": "Conv2Int8", "name": "c", "inputs": ["x.block"], "outputs": ["y"]},
    ]


def test_a_dump_is_mapped_to_the_source() -> None:
    source = onnx.ModelProto.FromString(dequantized_convolution([[[[2]]]]))
    (step,) = opencv_dump.plan(source, DUMP)
    assert step == {
        "kind": "Conv2Int8",
        "name": "c",
        "nodes": ["dx", "dw", "c", "q"],
        "inputs": ["x"],
        "outputs": ["y"],
    }


def test_the_fused_layer_covers_its_source_nodes(opencv: OpenCV) -> None:
    tapped = opencv.tap(dequantized_convolution([[[[2]]]]), {"x": X}, {})
    (step,) = tapped["plan"]
    assert (step["kind"], step["inputs"], step["outputs"]) == ("Conv2Int8", ["x"], ["y"])
    assert step["nodes"] == ["dx", "dw", "c", "q"]
    assert (tapped["method"], tapped["arrays"]) == ("prefixes", {})


def test_an_unfused_graph_has_a_layer_for_each_node(opencv: OpenCV) -> None:
    made = dequantized_convolution([[[[2]]]], activation="Relu")
    plan = opencv.tap(made, {"x": X}, {})["plan"]
    assert [(each["kind"], each["nodes"]) for each in plan] == [
        ("DequantizeLinear", ["dx"]),
        ("Conv2", ["dw", "c", "a"]),
        ("QuantizeLinear", ["q"]),
    ]


def test_an_input_with_an_initializer_is_a_constant(opencv: OpenCV) -> None:
    made = onnx.ModelProto.FromString(dequantized_convolution([[[[2]]]]))
    made.graph.input.append(helper.make_tensor_value_info("w", TensorProto.INT8, [1, 1, 1, 1]))
    same, other = (np.full((1, 1, 1, 1), value, np.int8) for value in (2, 3))
    found = opencv.run(made.SerializeToString(), {"x": X, "w": same}, {})["y"]
    assert [int(each) for each in found.ravel()] == Y
    with pytest.raises(Limit, match="input w has an initializer"):
        opencv.run(made.SerializeToString(), {"x": X, "w": other}, {})
