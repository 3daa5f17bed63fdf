"""R06, with R02 and R04: MatMul between DequantizeLinear and QuantizeLinear."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.engine.fusion.checks import assert_inside, assert_same_bits, refusals
from tests.engine.fusion.product_models import F32, A, B, R, kinds, product, with_inputs

COLUMNS = F32(2.0) ** -np.array([5, 6, 7, 6, 5, 4], F32)
BY_COLUMN: dict[str, Any] = {"bs": COLUMNS, "bz": np.array([0, 3, -9, 1, 0, 127], np.int8)}


@pytest.mark.parametrize(
    "constants",
    [
        {},
        {"bz": np.int8(-7)},
        BY_COLUMN,
        {"b": R.integers(0, 256, (8, 6)).astype(np.uint8), "bz": np.uint8(130)},
        {"az": np.int8(-3)},
        {"yz": np.int8(-3)},
        {"b": np.stack([B, B[::-1]]), "bz": np.int8(1)},
    ],
)
@pytest.mark.parametrize(
    ("between", "rule"),
    [((), "R06"), (("Relu",), "R04"), (("Clip",), "R04")],
)
def test_it_fires_and_keeps_values(
    constants: dict[str, Any], between: tuple[str, ...], rule: str
) -> None:
    model = product(constants=constants, between=between)
    a = A.astype(np.int16) - 128 if "az" in constants else A
    assert kinds(model) == [("QLinearMatMul", rule)]
    assert_same_bits(model, {"a": a.astype(np.int8 if "az" in constants else np.uint8)})


@pytest.mark.parametrize("axis", [1, -1])
def test_scales_of_columns_on_either_name_of_the_axis(axis: int) -> None:
    model = product(constants=BY_COLUMN, b_attributes={"axis": axis})
    assert kinds(model) == [("QLinearMatMul", "R06")]
    assert_same_bits(model, {"a": A})


@pytest.mark.parametrize("scale", [0.1, 0.3, 0.02])
def test_any_scale_stays_inside_the_set(scale: float) -> None:
    model = product(constants={"as": F32(scale), "bs": F32(0.013), "ys": F32(0.7)})
    assert kinds(model) == [("QLinearMatMul", "R06")]
    assert_inside(model, {"a": A})


def test_weights_may_be_computed() -> None:
    model, fed = with_inputs(product(), "b")
    assert kinds(model) == [("QLinearMatMul", "R06")]
    assert_same_bits(model, {"a": A} | fed)


@pytest.mark.parametrize("shape", [(8,), (1, 8), (2, 3, 8), (0, 8)])
def test_a_of_any_rank(shape: tuple[int, ...]) -> None:
    model = product(a_shape=shape)
    assert kinds(model) == [("QLinearMatMul", "R06")]
    assert_same_bits(model, {"a": np.resize(A, shape)})


def test_a_redundant_activation_goes() -> None:
    model = product(constants={"yz": np.uint8(0)}, between=("Relu",))
    ((kind, rule),) = kinds(model)
    assert kind == "QLinearMatMul"
    assert {"R02", "R44"} & set(rule.split("+"))
    assert_same_bits(model, {"a": A})


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            product(outputs={"y": np.uint8, "mf": F32}),
            "G3: 'mf' is a graph output, so it must exist in float",
        ),
        (
            with_inputs(product(), "as")[0],
            "G1: the scale 'as' of da is computed, not constant",
        ),
        (
            with_inputs(product(), "yz")[0],
            "G1: the zero point 'yz' of qy is computed, not constant",
        ),
        (
            product(constants={"as": np.ones(8, F32), "az": np.zeros(8, np.uint8)}),
            "G2: da has 8 scales, the kernel takes 1",
        ),
        (
            product(constants={"ys": np.ones(6, F32), "yz": np.zeros(6, np.uint8)}),
            "G2: qy has 6 scales, the kernel takes 1",
        ),
        (
            product(constants={"bs": F32(-0.5)}),
            "G6: the scale of db is -0.5; a scale must be positive and finite",
        ),
        (
            product(constants={"as": F32(2.0**-100), "bs": F32(2.0**-100)}),
            "G6: x_scale 7.888609052210118e-31 times w_scale 7.888609052210118e-31 leaves float32",
        ),
        (
            product(constants={"yz": np.uint16(0)}),
            "G7: qy has uint16 codes, the kernels int8 and uint8",
        ),
        (
            product(
                constants={"bs": np.ones(8, F32), "bz": np.zeros(8, np.int8)},
                b_attributes={"axis": 0},
            ),
            "G9: the weight scales of db are on axis 0, a product needs 1",
        ),
        (
            with_inputs(product(constants=BY_COLUMN), "b")[0],
            "G9: db has 6 scales for weights that are computed",
        ),
    ],
)
def test_it_does_not_fire_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert reason in refusals(model, "R06", off=["R07"])
    assert "QLinearMatMul" not in {kind for kind, _ in kinds(model)}


def test_axis_0_is_not_the_columns_though_lengths_agree() -> None:
    square = R.integers(-128, 128, (8, 8)).astype(np.int8)
    rows = {
        "b": square,
        "bs": F32(2.0) ** -np.arange(8, dtype=F32),
        "bz": np.zeros(8, np.int8),
    }
    model = product(constants=rows, b_attributes={"axis": 0})
    assert any(each.startswith("G9") for each in refusals(model, "R06", off=["R07"]))
    assert_same_bits(model, {"a": A})


def test_float_weights_are_no_pattern() -> None:
    model = product()
    node = next(each for each in model.graph.node if each.name == "m1")
    node.input[1] = "w"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((8, 6), F32), "w"))
    found = refusals(model, "R06")
    assert "pattern: input b ('w') of m1 is not dequantized codes" in found


def test_a_shared_dequantize_needs_r46() -> None:
    model = product(outputs={"y": np.uint8, "af": F32})
    assert ("QLinearMatMul", "R06") in kinds(model)
    (reason,) = refusals(model, "R06", off=["R46", "R07"])
    assert reason == "G12: da is shared ('af' is a graph output) and R46 is off"


def test_two_quantizers_keep_the_float_product() -> None:
    model = product()
    second = helper.make_node("QuantizeLinear", ["mf", "as", "az"], ["z"], name="qz")
    model.graph.node.append(second)
    model.graph.output.append(helper.make_tensor_value_info("z", 2, None))
    (reason,) = refusals(model, "R06", off=["R07"])
    assert reason == "G3: 'mf' has 2 consumers: qy, qz, so it must exist in float"
    assert_same_bits(model, {"a": A})
