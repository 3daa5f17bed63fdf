"""A session's inputs, outputs, taps and options; the float operators of a detector head."""

import tracemalloc
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from engine import EngineError, InvalidModel, Session, Unsupported
from tests.engine.cases import Array
from tests.engine.models import graph_model, qdq_conv, qlinear_conv

W = np.ones((2, 1, 1, 1), np.int8)
X = np.zeros((1, 1, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "input 'x' is missing; give x: uint8[1,1,8,8]"),
        ({"x": X.astype(np.int8)}, "input 'x' is int8, the model takes x: uint8[1,1,8,8]"),
        ({"x": X[0]}, "input 'x' has shape (1, 8, 8), the model takes x: uint8[1,1,8,8]"),
        (
            {"x": X[:, :, :3]},
            "input 'x' has shape (1, 1, 3, 8), the model takes x: uint8[1,1,8,8]",
        ),
        ({"x": X, "z": X}, "input 'z' is no input of the model; its inputs are x"),
        ({"x": X, "ws": X}, "input 'ws' is an initializer; its inputs are x"),
    ],
)
def test_inputs_that_do_not_fit(inputs: dict[str, Array], message: str) -> None:
    with pytest.raises(EngineError) as caught:
        Session(qlinear_conv(W)).run(inputs)
    assert str(caught.value) == message


def test_symbolic_dimensions_take_any_size() -> None:
    model = qlinear_conv(W)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    session = Session(model)
    for n in (0, 1, 3):
        assert session.run({"x": np.zeros((n, 1, 8, 8), np.uint8)})["y"].shape == (n, 2, 8, 8)


def test_an_input_without_shape_takes_any_that_the_operators_take() -> None:
    model = qlinear_conv(W)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    session = Session(model)
    assert session.run({"x": X})["y"].shape == (1, 2, 8, 8)
    with pytest.raises(EngineError, match="c1: input has 3 channels, the weights are for 1"):
        session.run({"x": np.zeros((1, 3, 8, 8), np.uint8)})
    with pytest.raises(EngineError, match="c1: input of rank 3, weights of rank 4"):
        session.run({"x": np.zeros((1, 1, 8), np.uint8)})


def test_initializers_listed_as_inputs_may_be_left_out() -> None:
    model = qlinear_conv(W)
    for each in model.graph.initializer:
        info = helper.make_tensor_value_info(each.name, each.data_type, list(each.dims))
        model.graph.input.append(info)
    assert Session(model).run({"x": X})["y"].shape == (1, 2, 8, 8)


@pytest.mark.parametrize("fusion", ["on", "off"])
def test_arrays_in_any_memory_order(fusion: str) -> None:
    """An input given transposed, and one kernel's output read by the next."""
    r = np.random.default_rng(0)
    first = qlinear_conv(r.integers(-128, 128, (12, 8, 1, 1)).astype(np.int8), y=(0.5, 9))
    second = qlinear_conv(r.integers(-128, 128, (8, 12, 3, 3)).astype(np.int8), y=(0.5, 9))
    chain = onnx.ModelProto()
    chain.CopyFrom(first)
    node = chain.graph.node.add()
    node.CopyFrom(second.graph.node[0])
    node.name, node.input[0], node.input[3], node.output[0] = "c2", "y", "w2", "y2"
    weight = chain.graph.initializer.add()
    weight.CopyFrom(second.graph.initializer[2])
    weight.name = "w2"
    chain.graph.output[0].name = "y2"
    x = r.integers(0, 256, (1, 8, 8, 8)).astype(np.uint8)
    turned = np.asfortranarray(x)
    middle = Session(first, fusion=fusion).run({"x": turned})["y"]
    expected = Session(second, fusion=fusion).run({"x": middle})["y"]
    assert (Session(chain, fusion=fusion).run({"x": x})["y2"] == expected).all()


def test_taps_are_the_inputs_and_what_the_plan_materialises() -> None:
    model = qdq_conv(W)
    assert set(Session(model).run_tapped({"x": X})) == {"x", "y"}
    off = Session(model, fusion="off").run_tapped({"x": X})
    assert set(off) == {"x", "xf", "wf", "cf", "y"}
    assert (off["y"] == Session(model).run({"x": X})["y"]).all()


@pytest.mark.parametrize("form", ["bytes", "proto"])
def test_a_model_is_given_as_bytes_or_as_a_proto_and_never_changed(form: str) -> None:
    model = qdq_conv(W)
    before = model.SerializeToString()
    session = Session(before if form == "bytes" else model)
    session.run({"x": X})
    session.plan()
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion": ["R99"]}, "fusion rule 'R99' is unknown; known: on, off, R01, R02"),
        ({"fusion": "R01x"}, "fusion rule 'R01x' is unknown"),
        ({"faults": ["F0"]}, "fault 'F0' is unknown"),
        ({"profile": "x"}, "profile 'x' is unknown"),
    ],
)
def test_unknown_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineError) as caught:
        Session(qlinear_conv(W), **options)
    assert str(caught.value).startswith(message)


def head() -> onnx.ModelProto:
    """Two branches of a detector: a score is the product of two sigmoids."""
    constants: dict[str, Array] = {
        "shape": np.array([0, -1, 1], np.int64),
        "half": np.array([0.5], np.float32),
        "w": np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32),
        "b": np.array([0.1, -0.2], np.float32),
    }
    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], name="c"),
        make("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        make("Transpose", ["p"], ["t"], perm=[0, 2, 3, 1]),
        make("Reshape", ["t", "shape"], ["r"]),
        make("Sigmoid", ["r"], ["s1"]),
        make("Add", ["r", "half"], ["r2"]),
        make("Clip", ["r2", "", "half"], ["r3"]),
        make("Sigmoid", ["r3"], ["s2"]),
        make("Mul", ["s1", "s2"], ["score"]),
        make("Identity", ["score"], ["same"]),
        make("Concat", ["same", "s1"], ["both"], axis=-1),
        make("Flatten", ["both"], ["y"], axis=-1),
    ]
    return graph_model(nodes, {"x": (np.float32, [2, 3, 4, 4])}, {"y": np.float32}, constants)


def test_the_float_operators_of_a_detector_head() -> None:
    model = head()
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 4)).astype(np.float32)
    expected = ReferenceEvaluator(model).run(None, {"x": x})[0]
    actual = Session(model).run({"x": x})["y"]
    assert actual.shape == expected.shape
    assert actual.dtype == np.float32
    # 27 products below 10 in a sum, then functions of slope at most 1: 64 * 27 * 10 * 2**-24
    assert np.abs(actual - expected).max() < 64 * 27 * 10 * 2.0**-24


def test_shapes_that_an_operator_cannot_take_are_one_line() -> None:
    nodes = [helper.make_node("Add", ["x", "c"], ["y"], name="sum")]
    constants = {"c": np.zeros(5, np.float32)}
    model = graph_model(nodes, {"x": (np.float32, [3])}, {"y": np.float32}, constants)
    with pytest.raises(EngineError) as caught:
        Session(model).run({"x": np.zeros(3, np.float32)})
    assert str(caught.value).startswith("Add 'sum' cannot take float32(3,), float32(5,): ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("node", "error", "words"),
    [
        (
            helper.make_node("Flatten", ["x"], ["y"], axis=5),
            EngineError,
            "axis 5 of a tensor of rank 2",
        ),
        (
            helper.make_node("Concat", ["x", "x"], ["y"]),
            InvalidModel,
            "axis must be an integer",
        ),
        (helper.make_node("MaxPool", ["x"], ["y"]), InvalidModel, "no kernel_shape"),
        (helper.make_node("Relu", [""], ["y"]), InvalidModel, r"has 0 input\(s\); it takes 1"),
        (helper.make_node("Clip", ["x"], ["y"], min=0.0), InvalidModel, "bounds are inputs"),
        (helper.make_node("Transpose", ["x"], ["y"], perm="a"), InvalidModel, "perm must be"),
        (helper.make_node("Reshape", ["x", "s"], ["y"]), EngineError, "0 in"),
    ],
)
def test_operators_that_cannot_run(
    node: onnx.NodeProto, error: type[EngineError], words: str
) -> None:
    constants = {"s": np.array([1, 1, 1, 0], np.int64)}
    with pytest.raises(error, match=words):
        Session(
            graph_model([node], {"x": (np.float32, [2, 3])}, {"y": np.float32}, constants)
        ).run({"x": np.zeros((2, 3), np.float32)})


def test_types_that_an_operator_cannot_take_are_refused() -> None:
    node = helper.make_node("Relu", ["x"], ["y"], name="r")
    model = graph_model([node], {"x": (np.bool_, [1])}, {"y": np.bool_}, {})
    with pytest.raises(Unsupported, match="Relu 'r': bool data is not supported"):
        Session(model).run({"x": np.zeros(1, np.bool_)})
    whole = helper.make_node("Exp", ["x"], ["y"], name="e")
    model = graph_model([whole], {"x": (np.int32, [1])}, {"y": np.int32}, {})
    with pytest.raises(InvalidModel, match="Exp 'e': int32 data; it takes floats"):
        Session(model).run({"x": np.zeros(1, np.int32)})


def test_tensors_are_dropped_after_their_last_reader() -> None:
    """Twenty tensors of 1 MiB, of which two live at a time, peak below three."""
    nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"]) for i in range(20)]
    model = graph_model(nodes, {"t0": (np.float32, None)}, {"t20": np.float32}, {})
    session, x = Session(model), np.ones(2**18, np.float32)
    session.run({"t0": x})
    tracemalloc.start()
    y = session.run({"t0": x})["t20"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert y.nbytes == 2**20
    assert peak < 3 * 2**20
    assert len(session.run_tapped({"t0": x})) == 21


def test_an_input_with_a_default_may_be_left_out_and_is_no_constant() -> None:
    model = qlinear_conv(W)
    scale = next(each for each in model.graph.initializer if each.name == "ys")
    model.graph.input.append(helper.make_tensor_value_info("ys", scale.data_type, []))
    session = Session(model)
    x = np.full((1, 1, 8, 8), 90, np.uint8)
    fixed = Session(qlinear_conv(W)).run({"x": x})["y"]
    assert (session.run({"x": x})["y"] == fixed).all()
    finer = session.run({"x": x, "ys": np.array(0.05, np.float32)})["y"]
    assert (finer == Session(qlinear_conv(W, y=(0.05, 5))).run({"x": x})["y"]).all()
    with pytest.raises(EngineError, match="input 'ys' is float64"):
        session.run({"x": x, "ys": np.array(0.05)})
    with pytest.raises(EngineError, match="input 'zs' is no input of the model"):
        session.run({"x": x, "zs": x})


def test_up_to_ir_version_3_initializers_are_listed_as_inputs_and_constant() -> None:
    model = qdq_conv(W)
    for each in model.graph.initializer:
        info = helper.make_tensor_value_info(each.name, each.data_type, list(each.dims))
        model.graph.input.append(info)
    assert Session(model).plan().steps[-1].rule == ""
    reasons = {each.reason for each in Session(model).plan().kept}
    assert reasons == {"the weight 'w' of c1 is computed, not constant"}
    model.ir_version = 3
    assert [each.rule for each in Session(model).plan().steps] == ["R01"]


def test_taps_have_the_names_of_the_source_graph_only() -> None:
    """R26 moves a DequantizeLinear: the codes behind the pool are of its own making."""
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s"], ["f"], name="d"),
        helper.make_node("MaxPool", ["f"], ["y"], kernel_shape=[2, 2], name="m"),
    ]
    constants: dict[str, Array] = {"s": np.array(0.5, np.float32)}
    model = graph_model(nodes, {"x": (np.uint8, [1, 1, 4, 4])}, {"y": np.float32}, constants)
    session = Session(model)
    assert any(each.rule == "R26" for each in session.plan().steps)
    x = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    assert set(session.run_tapped({"x": x})) == {"x", "y"}
