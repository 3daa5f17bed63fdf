"""QuantizeLinear and DequantizeLinear against the standard's text and against rationals."""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from engine import InvalidModel, Session, Unsupported
from engine.kernels.dequantize_linear import dequantize_linear
from engine.kernels.quantize_linear import quantize_linear
from tests.engine.models import graph_model

Array = npt.NDArray[Any]
CODES = {np.dtype(np.uint8): range(256), np.dtype(np.int8): range(-128, 128)}


def test_the_standards_example() -> None:
    x = np.array([0, 2, 3, 1000, -254, -1000], np.float32)
    q = quantize_linear(x, np.float32(2), np.uint8(128))
    assert q.tolist() == [128, 129, 130, 255, 1, 0]
    back = dequantize_linear(
        np.array([0, 3, 128, 255], np.uint8), np.float32(2), np.uint8(128)
    )
    assert back.tolist() == [-256, -250, 0, 254]


@pytest.mark.parametrize("dtype", list(CODES))
@pytest.mark.parametrize("scale", [2.0**-30, 0.1, 1.0, 0.3, 7.0, 2.0**20])
def test_every_code_survives_the_round_trip(dtype: np.dtype[Any], scale: float) -> None:
    codes = np.array(CODES[dtype], dtype)
    for zero_point in codes[::17]:
        x = dequantize_linear(codes, np.float32(scale), zero_point)
        assert (quantize_linear(x, np.float32(scale), zero_point) == codes).all()


@given(
    st.floats(width=32, allow_nan=False),
    st.floats(2.0**-20, 2.0**20, width=32),
    st.integers(0, 255),
)
def test_quantize_is_the_rounded_float32_quotient(
    x: float, scale: float, zero_point: int
) -> None:
    with np.errstate(over="ignore"):
        quotient = np.float32(x) / np.float32(scale)
        q = quantize_linear(np.array([x], np.float32), np.float32(scale), np.uint8(zero_point))
    if np.isinf(quotient):
        expected = 255 if quotient > 0 else 0
    else:
        expected = min(max(round(Fraction(float(quotient))) + zero_point, 0), 255)
    assert q[0] == expected


def test_ties_go_to_even_before_the_zero_point_is_added() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float32)
    assert quantize_linear(x, np.float32(1), np.int8(1)).tolist() == [1, 3, 3, 1, -1]


def test_infinities_saturate_and_nan_is_the_lowest_code() -> None:
    x = np.array([np.inf, -np.inf, np.nan, 3e38], np.float32)
    with np.errstate(all="ignore"):
        q = quantize_linear(x, np.float32(0.5), np.int8(3))
    assert q.tolist() == [127, -128, -128, 127]


def one(op: str, opset: int, shape: list[int], dtype: Any, out: Any, **parts: Any) -> Session:
    constants = {key: value for key, value in parts.items() if key in ("s", "z")}
    attributes = {key: value for key, value in parts.items() if key not in ("s", "z")}
    node = helper.make_node(op, ["x", *constants], ["y"], name="n", **attributes)
    return Session(graph_model([node], {"x": (dtype, shape)}, {"y": out}, constants, opset))


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_per_axis(axis: int) -> None:
    count = [2, 3][axis]
    scales = np.array([0.5, 1, 2], np.float32)[:count]
    zeros = np.array([0, 1, 2], np.int8)[:count]
    x = np.arange(-6, 6, 2, dtype=np.float32).reshape(2, 3)
    session = one(
        "QuantizeLinear", 13, [2, 3], np.float32, np.int8, s=scales, z=zeros, axis=axis
    )
    y = session.run({"x": x})["y"]
    for i in range(count):
        part = np.take(x, i, axis)
        assert (np.take(y, i, axis) == quantize_linear(part, scales[i], zeros[i])).all()
    back = one(
        "DequantizeLinear", 13, [2, 3], np.int8, np.float32, s=scales, z=zeros, axis=axis
    )
    assert (back.run({"x": y})["y"] == x).all()


def test_without_zero_point_codes_are_uint8_unless_output_dtype_says_int8() -> None:
    x = np.array([-3, 3], np.float32)
    scale = np.float32(1)
    plain = one("QuantizeLinear", 13, [2], np.float32, np.uint8, s=scale)
    assert plain.run({"x": x})["y"].tolist() == [0, 3]
    signed = one("QuantizeLinear", 21, [2], np.float32, np.int8, s=scale, output_dtype=3)
    assert signed.run({"x": x})["y"].tolist() == [-3, 3]
    assert signed.run({"x": x})["y"].dtype == np.int8


def test_int32_codes_are_converted_then_scaled() -> None:
    codes = np.array([2**24 + 1, -(2**31), 7], np.int32)
    y = one("DequantizeLinear", 10, [3], np.int32, np.float32, s=np.float32(0.3)).run(
        {"x": codes}
    )["y"]
    assert y.tolist() == (codes.astype(np.float32) * np.float32(0.3)).tolist()


def test_opencv_profile_multiplies_by_the_reciprocal() -> None:
    x, scale = np.array([2.5, 3.5], np.float32), np.float32(1)
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], name="n")
    constants: dict[str, Array] = {"s": np.asarray(scale), "z": np.array(1, np.int8)}
    model = graph_model([node], {"x": (np.float32, [2])}, {"y": np.int8}, constants)
    assert Session(model).run({"x": x})["y"].tolist() == [3, 5]
    assert Session(model, profile="opencv").run({"x": x})["y"].tolist() == [4, 4]


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        ({"block_size": -2}, InvalidModel, "block_size must be 0 or more, got -2"),
        ({"output_dtype": 7}, Unsupported, "codes of type int64"),
        ({"output_dtype": 8}, Unsupported, "output_dtype STRING is no type of numbers"),
        ({"output_dtype": 3, "z": np.uint8(0)}, InvalidModel, "output_dtype is int8"),
        ({"z": np.int32(0)}, Unsupported, "codes of type int32; use integers of 2 to 16 bits"),
        ({"precision": 11}, Unsupported, "precision float64"),
        (
            {"axis": 5, "s": np.ones(3, np.float32)},
            InvalidModel,
            "axis 5 of a tensor of shape",
        ),
        (
            {"s": np.ones(4, np.float32)},
            InvalidModel,
            r"shape \(4,\) on axis 1 of a tensor of",
        ),
        ({"s": np.ones((2, 2), np.float32)}, InvalidModel, "blocks need block_size"),
        (
            {"s": np.ones((2, 1), np.float32), "block_size": 2},
            InvalidModel,
            r"blocks of 2 on axis 1 of a tensor of shape \(2, 3\); they must have shape \(2, 2\)",
        ),
        (
            {"s": np.float32(0)},
            InvalidModel,
            "its scale is 0.0; a scale must be finite and not",
        ),
        ({"s": np.float32(np.nan)}, InvalidModel, "its scale is nan"),
        ({"s": np.array([1, np.inf, 1], np.float32)}, InvalidModel, "its scale is inf"),
        ({"s": np.float64(1)}, Unsupported, "a scale of type float64"),
    ],
)
def test_refusals(parts: dict[str, Any], error: type[Exception], words: str) -> None:
    parts = {"s": np.float32(1), **parts}
    with pytest.raises(error, match=words):
        one("QuantizeLinear", 23, [2, 3], np.float32, np.uint8, **parts).run(
            {"x": np.zeros((2, 3), np.float32)}
        )
