"""R44 and R45: an activation that saturation covers goes, for 8 and 16 bits; others stay."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.engine.fusion.checks import assert_same_bits, fired, refusals
from tests.engine.models import Array, graph_model

make = helper.make_node
REALS = np.concatenate(
    [
        np.linspace(-300, 300, 4001, dtype=np.float32),
        np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45, 3e38, -3e38], np.float32),
    ]
)


def behind(
    node: onnx.NodeProto, s: Any, z: Array, bounds: Any = None, **attributes: Any
) -> onnx.ModelProto:
    """x -> activation "a" -> QuantizeLinear "q" -> y."""
    constants: dict[str, Array] = {"s": np.asarray(s, np.float32), "z": z}
    if bounds is not None:
        constants |= {
            "lo": np.array(bounds[0], np.float32),
            "hi": np.array(bounds[1], np.float32),
        }
    quantize = make("QuantizeLinear", ["f", "s", "z"], ["y"], name="q", **attributes)
    return graph_model(
        [node, quantize], {"x": (np.float32, None)}, {"y": z.dtype}, constants, 21
    )


RELU = make("Relu", ["x"], ["f"], name="a")
CLIP = make("Clip", ["x", "lo", "hi"], ["f"], name="a")
LOWEST = [(np.uint8, 0), (np.int8, -128), (np.uint16, 0), (np.int16, -32768)]


@pytest.mark.parametrize(("dtype", "zero"), LOWEST)
@pytest.mark.parametrize("scale", [1.0, 0.3, 2.0**-140])
def test_a_relu_goes_where_its_zero_is_the_lowest_code(
    dtype: Any, zero: int, scale: float
) -> None:
    model = behind(RELU, scale, np.array(zero, dtype))
    assert fired(model) == {"R44"}
    assert_same_bits(model, {"x": REALS})


def test_a_relu_goes_in_every_channel_or_in_none() -> None:
    x = np.stack([REALS, REALS[::-1]])
    model = behind(RELU, [0.5, 3], np.zeros(2, np.uint8), axis=0)
    assert fired(model) == {"R44"}
    assert_same_bits(model, {"x": x})
    model = behind(RELU, [0.5, 3], np.array([0, 1], np.uint8), axis=0)
    assert refusals(model, "R44") == {"G11: Relu a keeps codes 1 to 255, uint8 has 0 to 255"}
    assert_same_bits(model, {"x": x})


def test_a_relu_that_others_read_stays_for_them() -> None:
    model = behind(RELU, 0.5, np.array(0, np.uint8))
    model.graph.output.append(helper.make_tensor_value_info("f", 1, None))
    assert fired(model) == {"R44"}
    assert_same_bits(model, {"x": REALS})


@pytest.mark.parametrize(
    ("scale", "zero", "attributes", "reason"),
    [
        (
            0.5,
            np.array(0, np.int8),
            {},
            "G11: Relu a keeps codes 0 to 127, int8 has -128 to 127",
        ),
        (
            0.5,
            np.array(-128, np.int16),
            {},
            "G11: Relu a keeps codes -128 to 32767, int16 has -32768 to 32767",
        ),
        (
            -0.5,
            np.array(0, np.uint8),
            {},
            "G6: the scale of q is -0.5; a scale must be positive and finite",
        ),
    ],
)
def test_a_relu_stays_and_says_why(
    scale: float, zero: Array, attributes: dict[str, Any], reason: str
) -> None:
    model = behind(RELU, scale, zero, **attributes)
    assert refusals(model, "R44") == {reason}
    assert "R44" not in fired(model)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("s", "G1: the scale 's' of q is computed, not constant"),
        ("z", "G1: the zero point 'z' of q is computed, not constant"),
    ],
)
def test_computed_parameters(name: str, reason: str) -> None:
    for rule, node, bounds in (("R44", RELU, None), ("R45", CLIP, (-1e3, 1e3))):
        model = behind(node, 0.5, np.array(0, np.uint8), bounds)
        stored = next(each for each in model.graph.initializer if each.name == name)
        model.graph.input.append(
            helper.make_tensor_value_info(name, stored.data_type, stored.dims)
        )
        assert refusals(model, rule) == {reason}
        assert_same_bits(model, {"x": REALS})


@pytest.mark.parametrize(
    ("scale", "zero", "bounds"),
    [
        (1.0, np.array(0, np.uint8), (0, 255)),
        (1.0, np.array(0, np.uint8), (0.5, 254.5)),  # ties to even: codes 0 and 254
        (1.0, np.array(0, np.uint8), (0.5, 255.5)),
        (1.0, np.array(0, np.uint8), (-0.0, 254.75)),
        (1.0, np.array(-128, np.int8), (0, 255)),
        (0.1, np.array(10, np.uint8), (-1, 24.5)),
        (0.3, np.array(3, np.int16), (-np.inf, np.inf)),
        (2.0**-8, np.array(0, np.uint16), (0, 256)),
        (2.0**-8, np.array(0, np.uint16), (0, 255)),
        (np.array([1, 2]), np.zeros(2, np.uint8), (0, 510)),
    ],
)
def test_a_clip_goes_exactly_where_every_code_is_left(
    scale: Any, zero: Array, bounds: Any
) -> None:
    axis = {"axis": 0} if zero.ndim else {}
    model = behind(CLIP, scale, zero, bounds, **axis)
    x = np.stack([REALS, REALS[::-1]])
    assert_same_bits(model, {"x": x})
    every = np.arange(-70000, 70000, dtype=np.float32) * np.float32(np.max(scale))
    x = np.broadcast_to(every, (2, every.size))
    assert_same_bits(model, {"x": np.ascontiguousarray(x)})
    info = np.iinfo(zero.dtype)
    shape = (-1, *(1,) * zero.ndim)
    s = np.float32(scale).reshape(-1)
    ends = [np.rint(np.float32(each) / s) + zero.reshape(-1) for each in bounds]
    all_left = bool((ends[0] <= info.min).all() and (ends[1] >= info.max).all())
    assert (fired(model) == {"R45"}) == all_left, shape


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ((0, 254), "G11: Clip a keeps codes 0 to 254, uint8 has 0 to 255"),
        ((1, 999), "G11: Clip a keeps codes 1 to 255, uint8 has 0 to 255"),
        ((np.nan, 999), "G6: Clip a has bounds (nan, 999.0)"),
        ((5, 1), "G6: Clip a has bounds (5.0, 1.0)"),
    ],
)
def test_a_clip_stays_and_says_why(bounds: Any, reason: str) -> None:
    model = behind(CLIP, 1.0, np.array(0, np.uint8), bounds)
    assert refusals(model, "R45") == {reason}
    assert_same_bits(model, {"x": REALS})


def test_a_computed_bound() -> None:
    model = behind(CLIP, 1.0, np.array(0, np.uint8), (0, 999))
    model.graph.input.append(helper.make_tensor_value_info("hi", 1, []))
    assert refusals(model, "R45") == {"G1: a bound of Clip a is computed, not constant"}


def test_codes_that_engines_let_wrap_are_left_alone() -> None:
    nibbles = helper.np_dtype_to_tensor_dtype
    model = behind(RELU, 1.0, np.array(0, np.uint8))
    del model.graph.node[1].input[2]
    model.graph.node[1].attribute.append(
        helper.make_attribute("output_dtype", onnx.TensorProto.UINT4)
    )
    assert nibbles(np.dtype(np.uint8)) == 2
    assert refusals(model, "R44") == {"G7: q has uint4 codes, not of 8 or 16 bits"}
    assert_same_bits(model, {"x": REALS})
