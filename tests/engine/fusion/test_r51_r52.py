"""R51 and R52, asked for: float biases and weights beside dequantized x become codes."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from engine import Session
from tests.engine.fusion.checks import fired, refusals
from tests.engine.models import Array, graph_model, qdq_conv
from tests.engine.plans import edited, with_input, without

make = helper.make_node
R = np.random.default_rng(0)
W = R.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8)
X = R.integers(0, 256, (1, 3, 8, 8)).astype(np.uint8)
BIAS = R.normal(size=4).astype(np.float32)


def float_bias(bias: Any = BIAS, **how: Any) -> onnx.ModelProto:
    """A convolution whose bias is a float initializer "fb"."""
    bias = np.asarray(bias, np.float32)
    model = without(qdq_conv(W, bias=np.zeros(bias.size), **how), "db", "fb")
    model.graph.initializer.append(numpy_helper.from_array(bias, "fb"))
    return model


@pytest.mark.parametrize("w_scale", [0.01, [0.01, 0.02, 0.03, 0.04]])
@pytest.mark.parametrize("activation", ["", "Relu", "Clip"])
def test_a_float_bias_becomes_steps_of_the_product(w_scale: Any, activation: str) -> None:
    model = float_bias(w_scale=w_scale, activation=activation, y=(0.1, 7))
    assert not fired(model) & {"R01", "R04"}
    expected = {"R51", "R04" if activation else "R01"}
    assert fired(model, opt_in=["R51"]) == expected
    session = Session(model, opt_in=["R51"])
    (step,) = session.plan().steps
    steps = np.float32(0.02) * np.float32(w_scale)
    codes = np.rint(BIAS.astype(np.float64) / steps).astype(int)
    assert step.parameters.bias.tolist() == codes.tolist()
    rounded = qdq_conv(W, w_scale=w_scale, bias=codes, activation=activation, y=(0.1, 7))
    assert (session.run({"x": X})["y"] == Session(rounded).run({"x": X})["y"]).all()


def test_the_bias_moves_by_half_a_step_at_most() -> None:
    model = float_bias()
    (step,) = Session(model, opt_in=["R51"]).plan().steps
    p = step.parameters
    moved = p.bias * np.float64(p.x_scale * p.w_scales[0]) - BIAS
    assert np.abs(moved).max() <= np.float64(p.x_scale * p.w_scales[0]) / 2


def on_axis(model: onnx.ModelProto, axis: int) -> onnx.ModelProto:
    next(each for each in model.graph.node if each.name == "dw").attribute[0].i = axis
    return model


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            float_bias(outputs=("y", "cf")),
            "G3: 'cf' is a graph output, so it must exist in float",
        ),
        (with_input(float_bias(), "xs"), "G1: the scale 'xs' of dx is computed, not constant"),
        (
            edited(float_bias(), xs=np.ones(3, np.float32), xz=np.zeros(3, np.uint8)),
            "G2: dx has 3 scales, the kernel takes 1",
        ),
        (
            on_axis(float_bias(w_scale=[0.01] * 4), 1),
            "G9: dw has 4 scales on axis 1, c1 takes 4 on axis 0",
        ),
        (
            float_bias(np.full(4, 1e9), x=(1e-3, 0)),
            "G10: bias 'fb' is 1e+14 steps in channel 0, beyond int32",
        ),
        (
            float_bias([np.nan, 0, 0, 0]),
            "G10: bias 'fb' is nan steps in channel 0, beyond int32",
        ),
        (
            float_bias(x=(2.0**-100, 0), w_scale=2.0**-100),
            "G6: x_scale 7.888609052210118e-31 times w_scale 7.888609052210118e-31 leaves float32",
        ),
    ],
)
def test_a_float_bias_stays_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert refusals(model, "R51") == {reason}
    assert "R51" not in fired(model, opt_in=["R51"])


def test_no_quantize_behind_the_convolution() -> None:
    model = without(float_bias(), "qy", "")
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("s", 1, None))
    model.graph.node.append(make("Sin", ["cf"], ["s"]))
    assert refusals(model, "R51") == {"pattern: no QuantizeLinear follows c1"}


def gemm(**attributes: Any) -> onnx.ModelProto:
    """D(x) and D(w) per column, a float bias, Gemm, Q."""
    constants: dict[str, Array] = {
        "xs": np.array(0.02, np.float32),
        "w": W.reshape(-1)[:20].reshape(5, 4),
        "ws": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
        "wz": np.zeros(4, np.int8),
        "fb": BIAS,
        "ys": np.array(0.5, np.float32),
        "z": np.array(3, np.uint8),
    }
    nodes = [
        make("DequantizeLinear", ["x", "xs", "z"], ["xf"], name="dx"),
        make("DequantizeLinear", ["w", "ws", "wz"], ["wf"], name="dw", axis=1),
        make("Gemm", ["xf", "wf", "fb"], ["g"], name="g", **attributes),
        make("QuantizeLinear", ["g", "ys", "z"], ["y"], name="q"),
    ]
    return graph_model(nodes, {"x": (np.uint8, [2, 5])}, {"y": np.uint8}, constants)


def test_gemm_counts_its_bias_along_the_columns() -> None:
    assert "R51" in fired(gemm(), opt_in=["R51"])
    assert refusals(gemm(alpha=0.5), "R51") == {"G11: alpha of g is 0.5, must be 1"}
    assert refusals(gemm(beta=2.0), "R51") == {"G11: beta of g is 2.0, must be 1"}
    turned = edited(gemm(transB=1), w=np.zeros((4, 5), np.int8))
    assert refusals(turned, "R51") == {"G9: dw has 4 scales on axis 1, g takes 4 on axis 0"}
    x = np.arange(10, dtype=np.uint8).reshape(2, 5)
    on, off = (Session(gemm(), opt_in=each).run({"x": x})["y"] for each in (["R51"], []))
    assert (
        np.abs(on.astype(int) - off).max() <= 1
    )  # half a step of xs*ws is far below one of ys


def float_weight(w: Any = None) -> onnx.ModelProto:
    """A convolution whose weight is a float initializer "w"."""
    found = W.astype(np.float32) * np.float32(0.01) if w is None else np.asarray(w, np.float32)
    return edited(without(qdq_conv(W), "dw", "w"), w=found)


def test_a_float_weight_becomes_symmetric_codes() -> None:
    model = float_weight()
    assert fired(model) == set()
    assert fired(model, opt_in=["R52"]) == {"R52", "R01"}
    session = Session(model, opt_in=["R52"])
    (step,) = session.plan().steps
    p = step.parameters
    scale = np.float32(1.28) / np.float32(127)
    assert (p.w_scales[0], p.w_zero_points[0], p.w.dtype) == (scale, 0, np.int8)
    assert np.abs(p.w * np.float64(scale) - W * np.float64(0.01)).max() <= scale * 0.5001
    rounded = qdq_conv(p.w, w_scale=scale)
    assert (session.run({"x": X})["y"] == Session(rounded).run({"x": X})["y"]).all()


def test_weight_and_bias_together() -> None:
    model = float_weight()
    model.graph.initializer.append(numpy_helper.from_array(BIAS, "fb"))
    next(each for each in model.graph.node if each.name == "c1").input.append("fb")
    assert fired(model, opt_in=["R51", "R52"]) == {"R51", "R52", "R01"}
    assert fired(model, opt_in=["R52"]) == {"R52"}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (float_weight(np.zeros((4, 3, 3, 3))), "G6: the weights 'w' of c1 give the scale 0.0"),
        (
            float_weight(np.full((4, 3, 3, 3), np.inf)),
            "G6: the weights 'w' of c1 give the scale inf",
        ),
        (
            with_input(float_weight(), "xs"),
            "G1: the scale 'xs' of dx is computed, not constant",
        ),
    ],
)
def test_a_float_weight_stays_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert refusals(model, "R52") == {reason}
    assert fired(model, opt_in=["R52"]) == set()


def transposed(axis: int | None, group: int = 1) -> onnx.ModelProto:
    """D(x), D(w), a float bias, ConvTranspose of 2 to 4 channels, Q."""
    scales = np.full(4 // group, 0.1, np.float32) if axis is not None else np.float32(0.1)
    constants: dict[str, Array] = {
        "xs": np.array(0.02, np.float32),
        "w": W.reshape(-1)[: 2 * 4 // group * 9].reshape(2, 4 // group, 3, 3),
        "ws": np.asarray(scales),
        "fb": BIAS,
        "ys": np.array(0.5, np.float32),
        "z": np.array(3, np.uint8),
    }
    way = {} if axis is None else {"axis": axis}
    nodes = [
        make("DequantizeLinear", ["x", "xs", "z"], ["xf"], name="dx"),
        make("DequantizeLinear", ["w", "ws"], ["wf"], name="dw", **way),
        make("ConvTranspose", ["xf", "wf", "fb"], ["t"], name="t", group=group),
        make("QuantizeLinear", ["t", "ys", "z"], ["y"], name="q"),
    ]
    return graph_model(nodes, {"x": (np.uint8, [1, 2, 3, 3])}, {"y": np.uint8}, constants)


@pytest.mark.parametrize(("axis", "group"), [(None, 1), (1, 1), (-3, 1), (None, 2)])
def test_a_transposed_convolution_has_its_channels_on_axis_1(
    axis: int | None, group: int
) -> None:
    assert "R51" in fired(transposed(axis, group), opt_in=["R51"])


def test_scales_that_no_channel_of_a_transposed_convolution_has() -> None:
    assert refusals(transposed(0), "R51") == {
        "G9: dw has 4 scales on axis 0, t takes 4 on axis 1"
    }
    assert refusals(transposed(1, 2), "R51") == {"G9: dw has 2 scales on axis 1, t takes no"}
