"""MatMul and Gemm in floating point: types, shapes, transposes, factors, refusals."""

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper

from engine import EngineError, Session
from tests.engine.models import Array, graph_model

TYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int32, np.int64]


def one(op: str, feeds: dict[str, Array], opset: int = 13, **more: Any) -> onnx.ModelProto:
    node = helper.make_node(op, list(feeds), ["y"], name="m", **more)
    inputs = {name: (each.dtype, list(each.shape)) for name, each in feeds.items()}
    return graph_model([node], inputs, {"y": feeds["a"].dtype}, {}, opset)


def run(op: str, feeds: dict[str, Array], opset: int = 13, **more: Any) -> Array:
    return Session(one(op, feeds, opset, **more)).run(feeds)["y"]


def integers(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 4), (4, 5)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (4,)),
        ((2, 1, 3, 4), (5, 4, 2)),
    ],
)
def test_matmul(dtype: Any, a: Any, b: Any) -> None:
    left, right = integers(a, dtype), integers(b, dtype, 1)
    y = run("MatMul", {"a": left, "b": right})
    assert y.dtype == np.dtype(dtype)
    expected = np.matmul(left.astype(np.float64), right.astype(np.float64))
    np.testing.assert_array_equal(y.astype(np.float64), expected)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_short_floats_are_summed_in_float32_and_rounded_once(dtype: Any) -> None:
    a = np.array(
        [[256.0, 1.0, 1.0]], dtype
    )  # 257 is no bfloat16, a running sum would stay at 256
    y = run("MatMul", {"a": a, "b": np.ones((3, 1), dtype)})
    assert float(y.item()) == 258.0


@pytest.mark.parametrize("turned", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("c_shape", [None, (), (1,), (5,), (3, 1), (1, 5), (3, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_gemm(turned: Any, c_shape: Any, dtype: Any) -> None:
    a, b = integers((3, 4), dtype), integers((4, 5), dtype, 1)
    feeds = {"a": a.T.copy() if turned[0] else a, "b": b.T.copy() if turned[1] else b}
    expected = 0.5 * (a.astype(np.float64) @ b.astype(np.float64))
    if c_shape is not None:
        feeds["c"] = integers(c_shape, dtype, 2)
        expected = expected + 2.0 * feeds["c"].astype(np.float64)
    y = run("Gemm", feeds, transA=turned[0], transB=turned[1], alpha=0.5, beta=2.0)
    np.testing.assert_array_equal(y, expected.astype(dtype))


@pytest.mark.parametrize(
    ("op", "feeds", "message"),
    [
        ("MatMul", {"a": ((), "f4"), "b": ((4, 5), "f4")}, "a scalar has no rows"),
        ("MatMul", {"a": ((3, 4), "i1"), "b": ((4, 5), "i1")}, "it takes floats or wide"),
        ("MatMul", {"a": ((3, 4), "f4"), "b": ((4, 5), "f8")}, "float32 and float64"),
        ("MatMul", {"a": ((3, 4), "f4"), "b": ((3, 5), "f4")}, "cannot take"),
        ("Gemm", {"a": ((1, 3, 4), "f4"), "b": ((4, 5), "f4")}, "it takes matrices"),
        (
            "Gemm",
            {"a": ((3, 4), "f4"), "b": ((4, 5), "f4"), "c": ((2, 3, 5), "f4")},
            "does not broadcast",
        ),
    ],
)
def test_refusals(op: str, feeds: dict[str, Any], message: str) -> None:
    arrays = {name: np.ones(shape, dtype) for name, (shape, dtype) in feeds.items()}
    with pytest.raises(EngineError, match=message) as caught:
        run(op, arrays)
    assert "\n" not in str(caught.value)
