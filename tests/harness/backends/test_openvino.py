from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from corpus.case import Case
from harness.backends.pool import Pool
from harness.backends.protocol import Limit
from harness.backends.spec import parse
from harness.outcome import Crashed, Values
from tests.harness.backends.models import (
    constant,
    converting,
    convolution,
    dequantized_convolution,
    model,
)

pytest.importorskip("openvino")

from harness.backends import openvino_limits
from harness.backends.openvino import OpenVINO, check_precision

X = np.array([5, 7, 9, 3], np.uint8).reshape(1, 1, 2, 2)
Y = [2, 3, 4, 1]  # (x - 3) / 2 + 1: no ties
REALS = np.array([-3, -1, 0, 1, 2, 5, 7], np.float32)
OPTIONS: list[dict[str, str]] = [
    {},
    {"disable": "low-precision"},
    {"disable": "snippets+low-precision"},
    {"dynamic": "on"},
]


@pytest.fixture(scope="module")
def openvino() -> OpenVINO:
    return OpenVINO()


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("x", ["u1", "i1"])
def test_every_way_to_run_it_gives_the_same_codes(
    openvino: OpenVINO, x: str, options: dict[str, str]
) -> None:
    for made in (convolution([[[[2]]]], x=x), dequantized_convolution([[[[2]]]], x=x)):
        found = openvino.run(made, {"x": X.view(x)}, options)["y"]
        assert [int(each) for each in found.ravel()] == Y
        assert (found.dtype, found.shape) == (np.dtype(x), X.shape)


def test_the_answer_does_not_change_under_the_next_run(openvino: OpenVINO) -> None:
    made = convolution([[[[2]]]])
    first = openvino.run(made, {"x": X}, {})["y"]
    openvino.run(made, {"x": np.zeros_like(X)}, {})
    assert [int(each) for each in first.ravel()] == Y


@pytest.mark.parametrize(
    "dtype",
    [np.int8, np.int16, ml_dtypes.int4, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2],
)
def test_codes_of_every_type_go_in_and_come_out(openvino: OpenVINO, dtype: Any) -> None:
    quantize, _ = converting("QuantizeLinear", dtype)
    codes = openvino.run(quantize.SerializeToString(), {"x": REALS}, {})["y"]
    assert codes.dtype == np.dtype(dtype)
    assert codes.astype(np.float32).tolist() == REALS.tolist()
    dequantize, _ = converting("DequantizeLinear", dtype)
    reals = openvino.run(dequantize.SerializeToString(), {"x": codes}, {})["y"]
    assert reals.tolist() == REALS.tolist()


def test_unsigned_codes_of_four_bits_are_unpacked(openvino: OpenVINO) -> None:
    made, _ = converting("QuantizeLinear", ml_dtypes.uint4)
    codes = openvino.run(made.SerializeToString(), {"x": REALS}, {})["y"]
    assert codes.dtype == np.dtype(ml_dtypes.uint4)
    assert codes.astype(int).tolist() == [0, 0, 0, 1, 2, 5, 7]


def test_bfloat16_is_no_float16(openvino: OpenVINO) -> None:
    made = helper.make_model(
        helper.make_graph(
            [helper.make_node("Relu", ["x"], ["y"])],
            "short",
            [helper.make_tensor_value_info("x", TensorProto.BFLOAT16, [7])],
            [helper.make_tensor_value_info("y", TensorProto.BFLOAT16, [7])],
        ),
        opset_imports=[helper.make_opsetid("", 14)],
        ir_version=8,
    )
    given = REALS.astype(ml_dtypes.bfloat16)
    found = openvino.run(made.SerializeToString(), {"x": given}, {})["y"]
    assert found.dtype == given.dtype
    assert found.astype(int).tolist() == [0, 0, 0, 1, 2, 5, 7]


def test_empty_and_scalar_tensors_keep_their_shapes(openvino: OpenVINO) -> None:
    relu = helper.make_node("Relu", ["x"], ["y"])
    for shape in ((0, 3), ()):
        made = model([relu], [], ("f4", shape), ("f4", shape))
        found = openvino.run(made, {"x": np.full(shape, -1, np.float32)}, {})["y"]
        assert found.shape == shape


def test_the_plan_names_what_was_fused(openvino: OpenVINO) -> None:
    made = dequantized_convolution([[[[2]]]], b=[3], activation="Relu")
    tapped = openvino.tap(made, {"x": X}, {})
    (step,) = tapped["plan"]
    assert step["kind"] == "Convolution"
    assert step["nodes"] == ["dx", "dw", "db", "c", "a", "q"]
    assert (step["inputs"], step["outputs"]) == (["x"], ["y"])
    assert tapped["arrays"] == {}


def test_without_low_precision_the_convolution_is_not_fused_with_its_codes(
    openvino: OpenVINO,
) -> None:
    made = dequantized_convolution([[[[2]]]])
    plan = openvino.tap(made, {"x": X}, {"disable": "low-precision"})["plan"]
    assert len(plan) > 1
    assert {name for step in plan for name in step["nodes"]} == {"dx", "dw", "c", "q"}


@pytest.mark.parametrize("options", OPTIONS)
def test_a_convolution_that_lost_its_name_is_one(
    openvino: OpenVINO, options: dict[str, str]
) -> None:
    (step,) = openvino.tap(convolution([[[[2]]]]), {"x": X}, options)["plan"]
    assert (step["kind"], step["outputs"]) == ("Convolution", ["y"])


def test_snippets_are_a_switch(openvino: OpenVINO) -> None:
    """They are layers of type Subgraph: the code of several elementwise operations."""
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["r"], name="d"),
        helper.make_node("Abs", ["r"], ["a"], name="a"),
        helper.make_node("Neg", ["a"], ["y"], name="n"),
    ]
    constants = [constant("s", 0.5, "f4"), constant("z", 3, "u1")]
    made = model(nodes, constants, ("u1", [4]), ("f4", [4]))
    kinds = [
        {step["kind"] for step in openvino.tap(made, {"x": X.ravel()}, options)["plan"]}
        for options in ({}, {"disable": "snippets"})
    ]
    assert "Subgraph" in kinds[0]
    assert "Subgraph" not in kinds[1]


def test_an_operator_without_a_rule_is_a_limit(openvino: OpenVINO) -> None:
    made = onnx.ModelProto.FromString(convolution([[[[2]]]]))
    made.graph.node[0].domain = "my.domain"
    made.opset_import.append(helper.make_opsetid("my.domain", 1))
    with pytest.raises(
        Limit, match=r"^No conversion rule found for operations: my\.domain\.QLinearConv$"
    ):
        openvino.run(made.SerializeToString(), {"x": X}, {})


def test_a_refusal_that_is_not_documented_is_one_line_about_the_first_node(
    openvino: OpenVINO,
) -> None:
    """QLinearConv takes scales for each output channel; OpenVINO looks for them at axis 1."""
    made = convolution([[[[1]]], [[[2]]]], ws=[0.5, 0.25], wz=[0, 0], y_shape=(1, 2, 2, 2))
    with pytest.raises(RuntimeError) as caught:
        openvino.run(made, {"x": X}, {})
    assert str(caught.value) == (
        "QLinearConv: The number of dequantization scale elements '2' must match the input shape"
        " dimension '1 pointed to by the axis attribute: 1"
    )


FAILURES = """Exception from src/inference/src/cpp/core.cpp:105:
Check 'false' failed at src/frontends/common_translators/src/unconverted_ops_report.cpp:151:
FrontEnd API failed with OpConversionFailure:
Model wasn't fully converted. Failed operations detailed log:
-- Conv-19 with a message:
While validating ONNX node '<Node(Conv): c2>': Check 'a' failed at src/conv.cpp:38:
The rank has to be known

-- QLinearConv-19 with a message:
While validating ONNX node '<Node(QLinearConv): c>': Check 'b' failed at src/q.cpp:119:
The scales do not fit

Summary:
-- Conversion is failed for: Conv-19, QLinearConv-19
"""
CALLBACK = """Exception from src/inference/src/cpp/core.cpp:117:
[PadTransformation] END: node: opset1::Pad n1 (...) -> (f32[6,5]) CALLBACK HAS THROWN: Check 'r' failed at src/c.cpp:189:
-3.75 assigned value out of range for u8
"""


@pytest.mark.parametrize(
    ("message", "essence"),
    [
        (FAILURES, "QLinearConv: The scales do not fit"),
        (CALLBACK, "PadTransformation: -3.75 assigned value out of range for u8"),
        (
            FAILURES + "-- No conversion rule found for operations: com.microsoft.QGemm\n",
            "No conversion rule found for operations: com.microsoft.QGemm",
        ),
        ("Exception from src/a.cpp:1:\n", "Exception from src/a.cpp:1:"),
    ],
)
def test_the_essence_of_a_message(message: str, essence: str) -> None:
    source = onnx.ModelProto.FromString(convolution([[[[2]]]]))
    assert openvino_limits.essence(message, source) == essence


def test_a_precision_that_is_not_used_is_a_limit(openvino: OpenVINO) -> None:
    compiled, _ = openvino._compile(convolution([[[[2]]]]), ())
    check_precision(compiled, "f32")
    with pytest.raises(Limit, match="precision=bf16: this CPU has none, OpenVINO takes f32"):
        check_precision(compiled, "bf16")


def test_it_runs_in_a_worker_held_to_an_instruction_set() -> None:
    case = Case(convolution([[[[2]]]]), {"x": X})
    with Pool() as pool:
        for text in ("openvino", "openvino:isa=sse41"):
            outcome = pool.run_one(case, parse(text))
            assert isinstance(outcome, Values)
            assert [int(each) for each in outcome.arrays["y"].ravel()] == Y
        plan = pool.tap(case, parse("openvino:isa=sse41"))
        assert not isinstance(plan, Crashed)


def test_several_layers_for_one_node_are_one_step(openvino: OpenVINO) -> None:
    """A product of codes becomes conversions, a transposition and a FullyConnected."""
    node = helper.make_node(
        "MatMulIntegerToFloat", ["x", "w", "s", "s"], ["y"], name="m", domain="com.microsoft"
    )
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [3, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 5])],
        [constant("w", np.ones((4, 5)), "i1"), constant("s", 1, "f4")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    given = {"x": np.ones((3, 4), np.uint8)}
    assert set(openvino.run(made.SerializeToString(), given, {})["y"].ravel().tolist()) == {4}
    (step,) = openvino.tap(made.SerializeToString(), given, {})["plan"]
    assert (step["nodes"], step["inputs"], step["outputs"]) == (["m"], ["x"], ["y"])
    assert step["kind"] in ("FullyConnected", "MatMul")


def test_an_input_with_an_initializer_is_a_constant(openvino: OpenVINO) -> None:
    made = onnx.ModelProto.FromString(dequantized_convolution([[[[2]]]]))
    made.graph.input.append(helper.make_tensor_value_info("w", TensorProto.INT8, [1, 1, 1, 1]))
    same, other = (np.full((1, 1, 1, 1), value, np.int8) for value in (2, 3))
    found = openvino.run(made.SerializeToString(), {"x": X, "w": same}, {})["y"]
    assert [int(each) for each in found.ravel()] == Y
    with pytest.raises(Limit, match="input w has an initializer"):
        openvino.run(made.SerializeToString(), {"x": X, "w": other}, {})
