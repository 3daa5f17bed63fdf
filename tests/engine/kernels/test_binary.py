from typing import Any

import numpy as np
import pytest
from onnx import helper

from engine import EngineError, Session
from tests.engine.models import Array, graph_model


def run(op: str, *tensors: Array, opset: int = 18, **attributes: Any) -> Array:
    names = [f"x{i}" for i in range(len(tensors))]
    node = helper.make_node(op, names, ["y"], name="n", **attributes)
    inputs = {
        n: (each.dtype, list(each.shape)) for n, each in zip(names, tensors, strict=True)
    }
    model = graph_model([node], inputs, {"y": tensors[0].dtype}, {}, opset)
    return Session(model).run(dict(zip(names, tensors, strict=True)))["y"]


def ints(*values: int, dtype: Any = np.int32) -> Array:
    return np.array(values, dtype)


def floats(*values: float) -> Array:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("Add", [3, -5, 9, -11]),
        ("Sub", [11, -9, 5, -7]),
        ("Mul", [-28, -14, 14, 18]),
        ("Div", [-1, -3, 3, 4]),
    ],
)
def test_arithmetic_of_integers(op: str, expected: list[int]) -> None:
    """Quotients are truncated towards zero: 7/-4 is -1, not -2."""
    a, b = ints(7, -7, 7, -9), ints(-4, 2, 2, -2)
    assert run(op, a, b).tolist() == expected


def test_quotients_of_integers_at_their_ends() -> None:
    a, b = ints(-128, -128, 5, -5, dtype=np.int8), ints(-1, 1, 0, 0, dtype=np.int8)
    assert run("Div", a, b).tolist() == [-128, -128, 0, 0]
    every = np.arange(-128, 128).astype(np.int8)
    divisors = every[every != 0]
    found = run("Div", every.reshape(-1, 1), divisors)
    truth = np.trunc(every.reshape(-1, 1) / divisors.astype(float)).astype(np.int8)
    assert (found == truth).all()


def test_floats_round_each_operation() -> None:
    a, b = floats(1, 0, -1, np.inf), floats(3, 0, 0, np.inf)
    quotients = run("Div", a, b)
    assert quotients[0] == np.float32(1) / np.float32(3)
    assert np.isnan(quotients[[1, 3]]).all()
    assert quotients[2] == -np.inf
    assert run("Add", floats(2**24), floats(1)).tolist() == [2**24]


def test_several_inputs() -> None:
    a, b, c = floats(1, 5), floats(4, -2).reshape(2, 1), floats(2, np.nan)
    assert run("Sum", a, b).tolist() == [[5, 9], [-1, 3]]
    assert run("Mean", a, a, floats(4, -1)).tolist() == [2, 3]
    assert run("Max", a, b)[0].tolist() == [4, 5]
    assert np.isnan(run("Min", a, b, c)[:, 1]).all()
    assert run("Min", ints(3, -1), ints(2, 2)).tolist() == [2, -1]
    assert run("Max", a).tolist() == [1, 5]


def test_remainders() -> None:
    a, b = ints(-7, 7, -7), ints(3, -3, -3)
    assert run("Mod", a, b).tolist() == [2, -2, -1]
    assert run("Mod", a, b, fmod=1).tolist() == [-1, 1, -1]
    assert run("Mod", floats(-7.5), floats(2), fmod=1).tolist() == [-1.5]
    with pytest.raises(EngineError, match="float32 data needs fmod = 1"):
        run("Mod", floats(1), floats(2))


def test_powers_keep_the_type_of_the_base() -> None:
    assert run("Pow", floats(2, 9), ints(3, 0)).tolist() == [8, 1]
    assert run("Pow", ints(2, -3), ints(3, 3)).tolist() == [8, -27]
    assert run("Pow", ints(2, 4), floats(-1, 0.5)).tolist() == [0, 2]
    assert run("Pow", ints(2, 1), ints(-1, -1)).tolist() == [0, 1]


def test_bits() -> None:
    a, b = ints(6, 255, dtype=np.uint8), ints(3, 4, dtype=np.uint8)
    assert run("BitShift", a, b, direction="LEFT").tolist() == [48, 240]
    assert run("BitShift", a, b, direction="RIGHT").tolist() == [0, 15]
    assert run("BitwiseAnd", a, b).tolist() == [2, 4]
    assert run("BitwiseOr", a, b).tolist() == [7, 255]
    assert run("BitwiseXor", a, b).tolist() == [5, 251]
    assert run("BitwiseNot", a).tolist() == [249, 0]
    with pytest.raises(EngineError, match="float32 data; it takes integers"):
        run("BitwiseAnd", floats(1), floats(1))
    with pytest.raises(EngineError, match="direction is 'UP'"):
        run("BitShift", a, b, direction="UP")


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (floats(1), ints(1), "inputs of types float32 and int32; cast one"),
        (np.array([True]), np.array([True]), "bool data is not supported; cast it"),
        (floats(1, 2), floats(1, 2, 3), r"cannot take float32\(2,\), float32\(3,\)"),
    ],
)
def test_what_does_not_fit(a: Array, b: Array, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        run("Add", a, b)
