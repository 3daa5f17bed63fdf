"""Every refusal is one line that names what, where and what to do."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine import EngineError, InvalidModel, Session, Unsupported
from engine.kernels.operators import OPERATORS
from engine.onnx_file import read_model
from engine.onnx_import import import_graph
from engine.onnx_operator import OPSETS
from tests.engine.models import graph_model, qdq_conv, qlinear_conv

W = np.ones((2, 1, 1, 1), np.int8)
ONE = {"x": (np.float32, [1])}


def relu_model(**changes: Any) -> onnx.ModelProto:
    model = graph_model([helper.make_node("Relu", ["x"], ["y"])], ONE, {"y": np.float32}, {})
    for name, value in changes.items():
        setattr(model, name, value)
    return model


def assert_refused(model: Any, error: type[EngineError], words: str) -> None:
    with pytest.raises(error) as caught:
        Session(model)
    message = str(caught.value)
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize("data", [b"", b"not onnx at all", b"\x08", b"\xff" * 40])
def test_bytes_that_are_no_model(data: bytes) -> None:
    assert_refused(data, InvalidModel, "no ONNX model")


def test_a_missing_file(tmp_path: Any) -> None:
    with pytest.raises(EngineError, match="No such file"):
        Session(tmp_path / "absent.onnx")
    with pytest.raises(EngineError, match="No such file"):
        Session(str(tmp_path / "absent.onnx"))


def test_a_file_is_read(tmp_path: Any) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(relu_model().SerializeToString())
    x = np.array([-1], np.float32)
    assert Session(path).run({"x": x})["y"] == Session(str(path)).run({"x": x})["y"] == 0


@pytest.mark.parametrize("opset", [OPSETS[0] - 1, OPSETS[-1] + 1])
def test_opsets_outside(opset: int) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    assert_refused(
        graph_model([node], ONE, {"y": np.float32}, {}, opset), Unsupported, f"opset {opset}"
    )


@pytest.mark.parametrize("opset", OPSETS)
def test_every_supported_opset_loads(opset: int) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    model = graph_model([node], ONE, {"y": np.float32}, {}, opset)
    assert Session(model).run({"x": np.array([-1], np.float32)})["y"] == 0


@pytest.mark.parametrize("opset", range(7, 10))
def test_operators_younger_than_the_opset(opset: int) -> None:
    words = f"DequantizeLinear 'dx' exists from opset 10, not in {opset}"
    assert_refused(qdq_conv(W, opset=opset), InvalidModel, words)


@pytest.mark.parametrize("opset", range(10, OPSETS[-1] + 1))
def test_quantized_models_of_every_opset(opset: int) -> None:
    model = qdq_conv(W, opset=opset)
    assert Session(model).plan().steps[0].rule == "R01"


def test_no_version_of_the_operator_set() -> None:
    model = relu_model()
    model.opset_import[0].domain = "other"
    assert_refused(model, InvalidModel, "opset_import")


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (
            helper.make_node("LSTM", ["x"], ["y"], name="s"),
            "operator LSTM (opset 13, node 's')",
        ),
        (
            helper.make_node("Relu", ["x"], ["y"], domain="com.microsoft"),
            "operator com.microsoft.Relu",
        ),
        (helper.make_node("Relu", ["x"], ["y"], alpha=1.0), "attribute 'alpha'"),
    ],
)
def test_operators_and_attributes_outside(node: onnx.NodeProto, words: str) -> None:
    assert_refused(graph_model([node], ONE, {"y": np.float32}, {}), Unsupported, words)


def test_the_refusal_of_an_operator_lists_the_supported_ones() -> None:
    node = helper.make_node("LSTM", ["x"], ["y"])
    with pytest.raises(Unsupported) as caught:
        Session(graph_model([node], ONE, {"y": np.float32}, {}))
    message = str(caught.value)
    assert all((name in message) == bool(each.domains) for name, each in OPERATORS.items())


def test_names_that_dangle_repeat_or_form_a_cycle() -> None:
    relu = helper.make_node
    dangling = [relu("Relu", ["nothing"], ["y"], name="r")]
    cycle = [relu("Add", ["x", "b"], ["a"], name="add"), relu("Relu", ["a"], ["b"])]
    twice = [relu("Relu", ["x"], ["y"]), relu("Relu", ["x"], ["y"], name="again")]
    for nodes, words in (
        (dangling, "'r' reads 'nothing'"),
        (cycle, "'add' reads 'b' before it is computed"),
        (twice, "'again': its output 'y' exists already"),
    ):
        assert_refused(graph_model(nodes, ONE, {"a": np.float32}, {}), InvalidModel, words)
    missing = graph_model([relu("Relu", ["x"], ["y"])], ONE, {"z": np.float32}, {})
    assert_refused(missing, InvalidModel, "graph output 'z'")
    assert_refused(graph_model([], ONE, {}, {}), InvalidModel, "no outputs")


def test_a_missing_initializer() -> None:
    model = qlinear_conv(W)
    del model.graph.initializer[2]
    assert_refused(model, InvalidModel, "'c1' reads 'w'")


def test_external_data() -> None:
    model = qlinear_conv(W)
    model.graph.initializer[2].data_location = TensorProto.EXTERNAL
    assert_refused(model, Unsupported, "'w' is stored outside")


def test_sparse_initializers() -> None:
    model = relu_model()
    model.graph.sparse_initializer.add()
    assert_refused(model, Unsupported, "sparse")


def test_a_tensor_whose_bytes_do_not_fit_its_shape() -> None:
    model = qlinear_conv(W)
    model.graph.initializer[2].raw_data = b"\0" * 3
    assert_refused(model, InvalidModel, "tensor 'w': 3 bytes")


def test_tensors_stored_in_typed_fields_are_read() -> None:
    model = qlinear_conv(W)
    kept = [each for each in model.graph.initializer if each.name != "w"]
    typed = helper.make_tensor("w", TensorProto.INT8, W.shape, W.reshape(-1).tolist())
    assert not typed.raw_data
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, typed])
    x = np.ones((1, 1, 8, 8), np.uint8)
    assert (
        Session(model).run({"x": x})["y"] == Session(qlinear_conv(W)).run({"x": x})["y"]
    ).all()


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["x", "w_scale", "y"])
def test_scales_that_are_no_scales(scale: float, which: str) -> None:
    value: Any = scale if which == "w_scale" else (scale, 0)
    changes: dict[str, Any] = {which: value}
    assert_refused(
        qlinear_conv(W, **changes), InvalidModel, "a scale must be positive and finite"
    )
    changes = {"w_scale": np.array([1.0, scale])} if which == "w_scale" else changes
    assert_refused(qlinear_conv(W, **changes), InvalidModel, f"_scale is {scale}")


def replaced(name: str, array: Any) -> onnx.ModelProto:
    model = qlinear_conv(W)
    for each in model.graph.initializer:
        if each.name == name:
            each.CopyFrom(numpy_helper.from_array(np.asarray(array), name))
    return model


@pytest.mark.parametrize(
    ("name", "array", "error", "words"),
    [
        ("w", np.ones((2, 1), np.int8), InvalidModel, "weights of shape (2, 1)"),
        ("w", np.ones((2, 1, 1, 1, 1, 1), np.int8), InvalidModel, "1 to 3 spatial axes"),
        ("w", np.int8(1), InvalidModel, "weights of shape ()"),
        ("w", np.ones((0, 1, 1, 1), np.int8), InvalidModel, "weights of shape (0, 1, 1, 1)"),
        ("w", np.ones((2, 1, 1, 1), np.uint8), InvalidModel, "they must agree"),
        ("ws", np.ones(3, np.float32), InvalidModel, "w_scale has shape (3,)"),
        ("wz", np.zeros(3, np.int8), InvalidModel, "w_zero_point has shape (3,)"),
        ("ws", np.float64(1), InvalidModel, "w_scale is float64"),
        ("xs", np.ones(2, np.float32), InvalidModel, "x_scale has shape (2,)"),
        ("yz", np.int16(0), Unsupported, "y_zero_point is int16"),
    ],
)
def test_parameters_that_do_not_fit(
    name: str, array: Any, error: type[EngineError], words: str
) -> None:
    assert_refused(replaced(name, array), error, words)


@pytest.mark.parametrize("bias", [np.zeros(3, np.int32), np.zeros(2, np.float32), np.int32(0)])
def test_biases_that_do_not_fit(bias: Any) -> None:
    model = qlinear_conv(W, bias=np.zeros(2))
    model.graph.initializer[-1].CopyFrom(numpy_helper.from_array(np.asarray(bias), "b"))
    assert_refused(model, InvalidModel, "it must be int32 (2,)")


def test_parameters_that_are_computed() -> None:
    model = qlinear_conv(W)
    x = np.ones((1, 1, 8, 8), np.uint8)
    expected = Session(model).run({"x": x})["y"]
    scale = numpy_helper.to_array(model.graph.initializer.pop(0))
    model.graph.input.append(helper.make_tensor_value_info("xs", TensorProto.FLOAT, []))
    assert (Session(model).run({"x": x, "xs": scale})["y"] == expected).all()


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"auto_pad": "SAME"}, "auto_pad is 'SAME'"),
        ({"kernel_shape": [3, 3]}, "kernel_shape is (3, 3)"),
        ({"pads": [1, 1]}, "pads must be 4 integers"),
        ({"strides": [0, 1]}, "must be positive"),
        ({"groups": 3}, "2 output channels in 3 groups"),
    ],
)
def test_geometry_that_is_none(attributes: dict[str, Any], words: str) -> None:
    assert_refused(qlinear_conv(W, **attributes), InvalidModel, words)


def test_constant_nodes_are_constants() -> None:
    tensor = numpy_helper.from_array(np.array([-1], np.int64))
    nodes = [
        helper.make_node("Constant", [], ["shape"], value=tensor),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    ]
    model = graph_model(nodes, {"x": (np.float32, [2, 3])}, {"y": np.float32}, {})
    assert Session(model).run({"x": np.zeros((2, 3), np.float32)})["y"].shape == (6,)


def test_the_graph_prints_itself() -> None:
    graph = import_graph(read_model(qlinear_conv(W)), OPERATORS)
    assert str(graph) == (
        "opset 13: x: uint8[1,1,8,8] -> y\n  y = QLinearConv(x, xs, xz, w, ws, wz, ys, yz)  # c1"
    )


@pytest.mark.parametrize(
    ("given", "dtype", "expected"),
    [
        ({"value_float": 1.5}, np.float32, 1.5),
        ({"value_floats": [1.5, 2.5]}, np.float32, [1.5, 2.5]),
        ({"value_int": 2**40}, np.int64, 2**40),
        ({"value_ints": [1, -2]}, np.int64, [1, -2]),
        ({"value": numpy_helper.from_array(np.ones((1, 2), np.int8))}, np.int8, [[1, 1]]),
    ],
)
def test_constants_in_every_numeric_form(
    given: dict[str, Any], dtype: Any, expected: Any
) -> None:
    nodes = [helper.make_node("Constant", [], ["c"], **given)]
    nodes.append(helper.make_node("Identity", ["c"], ["y"]))
    y = Session(graph_model(nodes, ONE, {"y": dtype}, {})).run({"x": np.zeros(1, np.float32)})[
        "y"
    ]
    assert y.dtype == dtype
    assert y.size == np.size(expected)
    assert (y == np.asarray(expected, dtype)).all()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"value_string": "a"}, "attribute 'value_string' is not supported"),
        ({"value_strings": ["a"]}, "attribute 'value_strings' is not supported"),
    ],
)
def test_constants_that_are_no_numbers(given: dict[str, Any], words: str) -> None:
    nodes = [helper.make_node("Constant", [], ["y"], **given)]
    assert_refused(graph_model(nodes, ONE, {"y": np.float32}, {}), Unsupported, words)


def test_constants_without_a_value_or_with_a_name_that_exists() -> None:
    empty = helper.make_node("Constant", [], ["y"], name="k")
    assert_refused(graph_model([empty], ONE, {"y": np.float32}, {}), InvalidModel, "no value")
    one = helper.make_node("Constant", [], ["y"], value_float=1.0)
    twice = graph_model([one, one], ONE, {"y": np.float32}, {})
    assert_refused(twice, InvalidModel, "two constants are called 'y'")
    one.output[0] = "x"
    same = graph_model([one], ONE, {"x": np.float32}, {})
    assert_refused(same, InvalidModel, "input 'x' is a constant too")


@pytest.mark.parametrize("op", ["Loop", "Scan"])
def test_loops_are_refused_by_name(op: str) -> None:
    model = graph_model([helper.make_node(op, ["x"], ["y"])], ONE, {"y": np.float32}, {})
    assert_refused(model, Unsupported, f"operator {op} (opset 13")
