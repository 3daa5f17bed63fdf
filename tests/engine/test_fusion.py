"""Each rule fires, does not fire (with its reason), and keeps every value."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engine.fusion.rewrite import RULE_IDS, RULES
from tests.engine.cases import Array
from tests.engine.models import graph_model, qdq_conv
from tests.engine.plans import (
    BIAS,
    EXACT,
    W,
    assert_keeps_values,
    edited,
    plan,
    reasons,
    rules,
    with_input,
    without,
)


def test_the_rules_are_listed_once() -> None:
    assert {each.id for each in RULES} == RULE_IDS - {"R46", "R53", "R64"}
    assert len(RULES) == len({(each.id, each.title) for each in RULES})  # R21 has two


@pytest.mark.parametrize("bias", [None, BIAS])
@pytest.mark.parametrize("w_scale", [2.0**-6, 2.0 ** -np.array([5, 6, 7, 6])])
@pytest.mark.parametrize("zero", [0, -7])
def test_r01_fires_and_keeps_values(bias: Array | None, w_scale: Any, zero: int) -> None:
    model = qdq_conv(
        W, **EXACT | {"w_scale": w_scale}, w_zero=zero, bias=bias, pads=[1, 0, 1, 2]
    )
    (step,) = plan(model).steps
    assert (step.kind, step.rule) == ("QConv", "R01")
    assert step.nodes == (
        ("dx", "dw", "c1", "qy") if bias is None else ("dx", "dw", "db", "c1", "qy")
    )
    assert (step.inputs, step.outputs) == (("x",), ("y",))
    assert plan(model).kept == ()
    assert_keeps_values(model)


def test_r01_off() -> None:
    model = qdq_conv(W)
    assert rules(model, ["R01"]) == ["", "", "", ""]
    assert reasons(model, ["R01"])["c1"] == "R01 off: R01 is switched off"
    assert set(reasons(model, "off")) == {"dx", "dw", "c1", "qy"}


FLOAT_W = np.ones((4, 3, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            qdq_conv(W, outputs=("y", "cf")),
            "R01 G3: 'cf' is a graph output, so it must exist in float",
        ),
        (
            with_input(qdq_conv(W), "xs"),
            "R01 G1: the scale 'xs' of dx is computed, not constant",
        ),
        (
            with_input(qdq_conv(W), "yz"),
            "R01 G1: the zero point 'yz' of qy is computed, not constant",
        ),
        (
            with_input(qdq_conv(W), "w"),
            "R01 G8: the weight 'w' of c1 is computed, not constant",
        ),
        (
            edited(qdq_conv(W), xs=np.ones(3, np.float32), xz=np.zeros(3, np.uint8)),
            "R01 G2: dx has 3 scales, the kernel takes 1",
        ),
        (
            edited(qdq_conv(W), ws=np.float32(-0.5)),
            "R01 G6: the scale of dw is -0.5; a scale must be positive and finite",
        ),
        (
            qdq_conv(W, x=(2.0**-100, 0), w_scale=2.0**-100),
            "R01 G6: x_scale 7.888609052210118e-31 times w_scale 7.888609052210118e-31 leaves float32",
        ),
        (
            edited(
                qdq_conv(W, w_scale=np.ones(4)),
                ws=np.ones(3, np.float32),
                wz=np.zeros(3, np.int8),
            ),
            "R01 G9: dw has 3 scales for 4 output channels",
        ),
        (
            qdq_conv(W, x=(0.5, 0), w_scale=0.25, bias=BIAS, bias_scale=0.5),
            "R01 G10: the scale of bias db is 0.5 in channel 0, x_scale * w_scale is 0.125",
        ),
        (
            without(qdq_conv(W, bias=BIAS), "db", "b32"),
            "R01 G10: bias 'b32' of c1 is float, the kernel adds int32 codes",
        ),
        (
            without(edited(qdq_conv(W), w=FLOAT_W), "dw", "w"),
            "R01 pattern: input w ('w') of c1 is not dequantized codes",
        ),
    ],
)
def test_r01_does_not_fire_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    if "b32" in {name for node in model.graph.node for name in node.input}:
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(np.zeros(4, np.float32), "b32")
        )
    assert reasons(model)["c1"] == reason
    assert "QConv" not in {each.kind for each in plan(model).steps}


def test_r01_bias_scale_must_be_equal_bit_for_bit() -> None:
    near = np.nextafter(np.float32(0.02) * np.float32(0.01), np.float32(1))
    assert "G10" in reasons(qdq_conv(W, bias=BIAS, bias_scale=near))["c1"]
    assert rules(qdq_conv(W, bias=BIAS)) == ["R01"]


def test_r01_weight_axis() -> None:
    model = qdq_conv(W, w_scale=np.ones(4))
    next(each for each in model.graph.node if each.name == "dw").attribute[0].i = 1
    assert reasons(model)["c1"].startswith("R01 G9: the weight scales of dw are on axis 1")
    next(each for each in model.graph.node if each.name == "dw").attribute[0].i = -4
    assert rules(model) == ["R01"]


def test_r01_without_quantize_and_without_conv() -> None:
    model = without(qdq_conv(W), "qy", "")
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("cf", 1, None))
    assert reasons(model)["c1"] == (
        "R01 pattern: its output 'cf' is a graph output; no QuantizeLinear follows"
    )
    node = helper.make_node("QuantizeLinear", ["x", "s"], ["y"], name="q")
    alone = graph_model(
        [node], {"x": (np.float32, [1])}, {"y": np.uint8}, {"s": np.array(1, np.float32)}
    )
    assert reasons(alone)["q"] == (
        "R01 pattern: its input 'x' comes from a graph input or constant, which no rule fuses"
    )


def test_missing_zero_points_are_uint8_zeros_or_the_type_of_the_codes() -> None:
    model = qdq_conv(W, **EXACT | {"x": (2.0**-5, 0), "y": (0.5, 0)})
    for node in model.graph.node:
        if "Linear" in node.op_type:
            del node.input[2]
    assert rules(model) == ["R01"]
    assert_keeps_values(model)


@pytest.mark.parametrize(
    ("y", "dtype", "activation", "rule"),
    [
        ((0.5, 0), np.uint8, "Relu", "R02"),
        ((0.5, -128), np.int8, "Relu", "R02"),
        ((0.5, 5), np.uint8, "Relu", "R04"),
        ((0.5, 0), np.int8, "Relu", "R04"),
        ((0.5, 100), np.uint8, "Clip", "R04"),
        ((2.0**-6, 0), np.uint8, "Clip", "R02"),
    ],
)
def test_r02_and_r04(y: Any, dtype: Any, activation: str, rule: str) -> None:
    model = qdq_conv(
        W,
        **EXACT | {"y": y},
        y_dtype=dtype,
        activation=activation,
        bounds=(0.0, 6.0),
        bias=BIAS,
    )
    (step,) = plan(model).steps
    assert step.rule == rule
    assert step.nodes == ("dx", "dw", "db", "c1", "a1", "qy")
    assert_keeps_values(model)
    assert rules(model, ["R02"]) == ["R04"]
    assert (rules(model, ["R04"]) == ["R02"]) == (rule == "R02")


def test_r02_says_which_codes_the_activation_keeps() -> None:
    model = qdq_conv(W, y=(0.5, 5), activation="Relu")
    assert reasons(model, ["R04"])["c1"] == "R04 off: R04 is switched off"
    clipped = with_input(qdq_conv(W, activation="Clip"), "lo")
    assert reasons(clipped)["c1"] == "R04 G1: a bound of Clip a1 is computed, not constant"


def test_r04_with_one_bound_absent() -> None:
    model = qdq_conv(W, **EXACT, activation="Clip")
    next(each for each in model.graph.node if each.name == "a1").input[1] = ""
    assert rules(model) == ["R04"]
    assert_keeps_values(model)


def test_r04_with_bounds_as_attributes_below_opset_11() -> None:
    model = qdq_conv(W, **EXACT, activation="Relu", opset=10)
    node = next(each for each in model.graph.node if each.name == "a1")
    node.op_type = "Clip"
    node.attribute.append(helper.make_attribute("max", 4.0))
    assert rules(model) == ["R04"]
    assert_keeps_values(model)


def test_the_plan_prints_itself() -> None:
    text = str(plan(qdq_conv(W, outputs=("y", "cf"))))
    assert "cf = Conv(xf, wf)  # c1" in text
    assert "Conv c1 stays float: 'cf' is a graph output" in text
    assert str(plan(qdq_conv(W))) == "y = QConv(x) [R01]  # dx dw c1 qy"
