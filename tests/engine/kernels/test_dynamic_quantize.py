"""DynamicQuantizeLinear against its definition, and what the engines make of data without a range."""

from fractions import Fraction

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from engine import EngineError, Session
from tests.engine.models import Array


def dynamic(
    outputs: tuple[str, ...] = ("y", "s", "z"), kind: int = TensorProto.FLOAT
) -> onnx.ModelProto:
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"], name="d")
    types = {"y": TensorProto.UINT8, "s": TensorProto.FLOAT, "z": TensorProto.UINT8}
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", kind, None)],
        [helper.make_tensor_value_info(name, types[name], None) for name in outputs],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def run(x: Array, profile: str = "spec") -> tuple[Array, Array, Array]:
    found = Session(dynamic(), profile=profile).run({"x": x})
    return found["y"], found["s"], found["z"]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=9))
def test_it_is_the_rounded_quotient_on_a_range_with_zero(values: list[float]) -> None:
    x = np.array(values, np.float32)
    low, high = min(0.0, *values), max(0.0, *values)
    if high - low < 1e-30:
        return
    y, scale, zero = run(x)
    step = np.float32(np.float32(high) - np.float32(low)) / np.float32(255)
    assert scale == step
    assert scale.dtype == np.float32
    assert scale.shape == ()
    wanted = round(
        min(max(Fraction(float(-(np.float32(low) / step))), Fraction(0)), Fraction(255))
    )
    assert zero == wanted
    assert zero.dtype == np.uint8
    assert zero.shape == ()
    for code, value in zip(y.tolist(), x, strict=True):
        assert code == min(max(round(Fraction(float(value / step))) + wanted, 0), 255)


@pytest.mark.parametrize(
    ("profile", "scale"), [("spec", np.float32(1) / np.float32(255)), ("ort", np.float32(1))]
)
@pytest.mark.parametrize("shape", [(3,), (0,), ()])
def test_data_without_a_range(shape: tuple[int, ...], profile: str, scale: np.float32) -> None:
    y, s, z = run(np.zeros(shape, np.float32), profile)
    assert y.shape == shape
    assert y.dtype == np.uint8
    assert not y.any()
    assert s == scale
    assert z == 0


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_data_without_a_finite_range_are_refused(bad: float) -> None:
    with pytest.raises(
        EngineError, match=r"DynamicQuantizeLinear 'd': data from .* have the scale"
    ):
        run(np.array([1, bad], np.float32))


def test_a_range_too_small_for_a_scale_is_refused() -> None:
    with pytest.raises(EngineError, match=r"have the scale 0\.0; it must be finite and not 0"):
        run(np.array([1e-45], np.float32))


def test_other_types_are_refused() -> None:
    with pytest.raises(EngineError, match="float64 data; it takes float32"):
        Session(dynamic(kind=TensorProto.DOUBLE)).run({"x": np.zeros(3)})


def test_unused_outputs() -> None:
    found = Session(dynamic(("z",))).run({"x": np.array([-1, 2], np.float32)})
    assert found["z"].tolist() == 85
