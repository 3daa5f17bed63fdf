from typing import Any

import numpy as np
import pytest
from onnx import helper

from engine import EngineError, Session
from tests.engine.models import Array, graph_model

A = np.array([1, 2, np.nan, np.inf], np.float32)
B = np.array([2, 2, np.nan, -np.inf], np.float32)


def run(op: str, *tensors: Array, dtype: Any = np.bool_, **attributes: Any) -> list[Any]:
    names = [f"x{i}" for i in range(len(tensors))]
    node = helper.make_node(op, names, ["y"], name="n", **attributes)
    inputs = {
        n: (each.dtype, list(each.shape)) for n, each in zip(names, tensors, strict=True)
    }
    model = graph_model([node], inputs, {"y": dtype}, {}, 18)
    found: list[Any] = Session(model).run(dict(zip(names, tensors, strict=True)))["y"].tolist()
    return found


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("Equal", [False, True, False, False]),
        ("Less", [True, False, False, False]),
        ("LessOrEqual", [True, True, False, False]),
        ("Greater", [False, False, False, True]),
        ("GreaterOrEqual", [False, True, False, True]),
    ],
)
def test_comparisons(op: str, expected: list[bool]) -> None:
    assert run(op, A, B) == expected
    assert run(op, A.astype(np.float16), B.astype(np.float16)) == expected


def test_codes_compare_as_numbers() -> None:
    low, high = np.array([-128], np.int8), np.array([127], np.int8)
    assert run("Less", low, high) == [True]
    assert run("Greater", low.view(np.uint8), high.view(np.uint8)) == [True]


def test_logic() -> None:
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert run("And", a, b) == [True, False, False, False]
    assert run("Or", a, b) == [True, True, True, False]
    assert run("Xor", a, b) == [False, True, True, False]
    assert run("Not", a) == [False, False, True, True]
    with pytest.raises(EngineError, match="float32 data where it takes booleans"):
        run("And", A, B)


def test_where_moves_any_type() -> None:
    condition = np.array([[True], [False]])
    for dtype in (np.int8, np.float64, np.bool_, np.uint16):
        x, y = np.array([1, 0], dtype), np.array([0, 1], dtype)
        assert run("Where", condition, x, y, dtype=dtype) == [[1, 0], [0, 1]]
    with pytest.raises(EngineError, match="inputs of types float32 and int8"):
        run("Where", condition, A, np.array([1], np.int8), dtype=np.float32)


def test_what_is_no_number() -> None:
    assert run("IsNaN", A) == [False, False, True, False]
    assert run("IsInf", B) == [False, False, False, True]
    assert run("IsInf", B, detect_negative=0) == [False] * 4
    assert run("IsInf", A, detect_negative=0) == [False, False, False, True]
    assert run("IsInf", A, detect_positive=0) == [False] * 4
