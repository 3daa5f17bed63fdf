import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper

from engine import EngineError, Session
from engine.kernels.elementwise import BLOCK
from engine.kernels.error_function import error_function
from tests.engine.models import Array, graph_model

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, 88.0, -104.0], np.float32)
FORMULAS: dict[str, Callable[[float], float]] = {
    "Exp": math.exp,
    "Log": math.log,
    "Sin": math.sin,
    "Cos": math.cos,
    "Tan": math.tan,
    "Sinh": math.sinh,
    "Cosh": math.cosh,
    "Asinh": math.asinh,
    "Atan": math.atan,
    "Erf": math.erf,
    "Tanh": math.tanh,
    "Sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "Softplus": lambda x: math.log1p(math.exp(-abs(x))) + max(x, 0),
    "Softsign": lambda x: x / (1 + abs(x)),
    "Mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "HardSwish": lambda x: x * min(max(x / 6 + 0.5, 0), 1),
    "Gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
}


def one(op: str, x: Array, opset: int = 20, **attributes: Any) -> Array:
    return Session(model(op, x, opset, **attributes)).run({"x": x})["y"]


def model(op: str, x: Array, opset: int = 20, **attributes: Any) -> onnx.ModelProto:
    node = helper.make_node(op, ["x"], ["y"], name="n", **attributes)
    return graph_model([node], {"x": (x.dtype, list(x.shape))}, {"y": x.dtype}, {}, opset)


@pytest.mark.parametrize("op", FORMULAS)
def test_functions_are_rounded_once(op: str) -> None:
    """The float32 next to the real value: nothing that double precision could tell apart."""
    x = np.random.default_rng(0).uniform(-6, 6, 500).astype(np.float32)
    x = np.abs(x) if op == "Log" else x
    truth = np.array([FORMULAS[op](float(each)) for each in x])
    ends = [(truth * (1 + e)).astype(np.float32) for e in (-(2.0**-40), 2.0**-40)]
    low, high = np.minimum(*ends), np.maximum(*ends)
    y = one(op, x)
    assert y.dtype == np.float32
    assert ((low <= y) & (y <= high)).all()


def test_the_error_function_reaches_its_ends() -> None:
    x = np.array([0.0, 1e-300, 0.46875, 0.4687500001, 4.0, 6.0, 40.0, np.inf])
    expected = np.array([math.erf(each) for each in x])
    for sign in (1, -1):
        y = error_function(sign * x)
        assert (np.abs(y - sign * expected) <= 2.0**-48 * expected).all()
    assert np.isnan(error_function(np.array([np.nan]))).all()


def test_what_is_not_finite() -> None:
    assert one("Sigmoid", SPECIAL).tolist()[:4] == [0.5, 0.5, 1.0, 0.0]
    assert one("Softplus", SPECIAL).tolist()[2:4] == [math.inf, 0.0]
    assert np.signbit(one("Tanh", SPECIAL)).tolist()[:2] == [False, True]
    assert np.isnan(one("Sqrt", np.array([-1.0], np.float32))).all()
    assert one("Reciprocal", SPECIAL).tolist()[:4] == [math.inf, -math.inf, 0.0, 0.0]


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ml_dtypes.bfloat16])
def test_other_floats(dtype: Any) -> None:
    x = np.linspace(-4, 4, 33).astype(dtype)
    for op in ("Tanh", "HardSwish", "Sqrt", "Floor", "Relu", "Elu"):
        y = one(op, x)
        wide = one(op, x.astype(np.float64))
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(y.astype(np.float64), wide.astype(dtype).astype(float))


def test_integers_where_the_standard_has_them() -> None:
    x = np.array([-128, -1, 0, 127], np.int8)
    assert one("Abs", x).tolist() == [-128, 1, 0, 127]
    assert one("Neg", x).tolist() == [-128, 1, 0, -127]
    assert one("Sign", x).tolist() == [-1, -1, 0, 1]
    assert one("Relu", x).tolist() == [0, 0, 0, 127]
    with pytest.raises(EngineError, match="Exp 'n': int8 data; it takes floats"):
        one("Exp", x)


def test_round_is_half_even() -> None:
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999997], np.float32)
    assert one("Round", x).tolist() == [-2, -2, -0.0, 0, 2, 2, 0]


@pytest.mark.parametrize("op", ["Tanh", "Sigmoid", "Mish"])
def test_blocks_are_seamless(op: str) -> None:
    x = np.linspace(-9, 9, 2 * BLOCK + 5, dtype=np.float32)
    whole, parts = one(op, x), [one(op, each) for each in np.array_split(x, 4)]
    assert (whole == np.concatenate(parts)).all()
    assert (one(op, x.reshape(1, -1, 1)).ravel() == whole).all()


def clip(
    opset: int, names: list[str], x: Array, bounds: dict[str, Any], **attributes: Any
) -> Array:
    node = helper.make_node("Clip", names, ["y"], name="n", **attributes)
    given = {name: np.asarray(each) for name, each in bounds.items()}
    made = graph_model([node], {"x": (x.dtype, list(x.shape))}, {"y": x.dtype}, given, opset)
    return Session(made).run({"x": x})["y"]


def test_clip_in_both_forms() -> None:
    x = np.array([-3, 0.5, 9], np.float32)
    assert clip(6 + 1, ["x"], x, {}, min=0.0, max=2.0).tolist() == [0, 0.5, 2]
    low, high = {"l": np.float32(-1)}, {"h": np.float32(4)}
    assert clip(11, ["x", "l"], x, low).tolist() == [-1, 0.5, 9]
    assert clip(13, ["x", "", "h"], x, high).tolist() == [-3, 0.5, 4]
    assert (
        clip(13, ["x", "l", "h"], x, {"l": np.float32(5), "h": np.float32(4)}).tolist()
        == [4] * 3
    )
    codes = np.array([-9, 3], np.int8)
    assert clip(13, ["x", "l"], codes, {"l": np.int8(0)}).tolist() == [0, 3]
    with pytest.raises(EngineError, match="a bound must be a scalar"):
        clip(13, ["x", "l"], x, {"l": np.zeros(2, np.float32)})
    with pytest.raises(EngineError, match="inputs of types float32 and int8"):
        clip(13, ["x", "l"], x, {"l": np.int8(0)})


def test_dropout_keeps_everything() -> None:
    x = np.array([1.0, 2.0], np.float32)
    constants = {"r": np.array(0.5, np.float32), "t": np.array(True)}
    for names, error in (
        (["x", "r"], None),
        (["x", "r", "t"], "training_mode is not supported"),
    ):
        node = helper.make_node("Dropout", names, ["y", "mask"], name="n")
        made = graph_model(
            [node],
            {"x": (np.float32, [2])},
            {"y": np.float32, "mask": np.bool_},
            constants,
            13,
        )
        if error:
            with pytest.raises(EngineError, match=error):
                Session(made).run({"x": x})
            continue
        assert {k: v.tolist() for k, v in Session(made).run({"x": x}).items()} == {
            "y": [1.0, 2.0],
            "mask": [True, True],
        }
