"""Reductions: forms of axes, empty sets, types; running sums."""

from typing import Any

import numpy as np
import pytest
from onnx import helper

from engine import Session
from engine.errors import EngineError, InvalidModel
from tests.engine.models import Array, graph_model

F32 = np.float32
X = np.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], F32)


def reduced(
    op: str, x: Array, *, opset: int = 18, axes: list[int] | None = None, **attributes: Any
) -> Array:
    """With ``axes`` as the input they are from opset 18 on; as attribute where named so."""
    constants = {} if axes is None else {"a": np.array(axes, np.int64)}
    node = helper.make_node(op, ["x", *constants], ["y"], name="r", **attributes)
    model = graph_model([node], {"x": (x.dtype, None)}, {"y": x.dtype}, constants, opset)
    return Session(model).run({"x": x})["y"]


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("ReduceSum", [[4, 6], [12, 14]]),
        ("ReduceMean", [[2, 3], [6, 7]]),
        ("ReduceProd", [[3, 8], [35, 48]]),
        ("ReduceMax", [[3, 4], [7, 8]]),
        ("ReduceMin", [[1, 2], [5, 6]]),
        ("ReduceL1", [[4, 6], [12, 14]]),
        ("ReduceSumSquare", [[10, 20], [74, 100]]),
        ("ReduceL2", np.sqrt(np.array([[10, 20], [74, 100]], F32)).tolist()),
        ("ReduceLogSum", np.log(np.array([[4, 6], [12, 14]], F32)).tolist()),
    ],
)
def test_the_three_forms_of_axes(op: str, expected: list[list[float]]) -> None:
    given = [
        reduced(op, X, axes=[1], keepdims=0),
        reduced(op, X, axes=[-2], keepdims=0),
        reduced(op, X, axes=[1], keepdims=1)[:, 0],
    ]
    if op != "ReduceSum":
        node = helper.make_node(op, ["x"], ["y"], axes=[1], keepdims=0)
        model = graph_model([node], {"x": (F32, None)}, {"y": F32}, {}, 11)
        given.append(Session(model).run({"x": X})["y"])
    for y in given:
        assert y.dtype == F32
        assert y.tolist() == expected


def test_no_axes_are_all_axes_or_none() -> None:
    assert reduced("ReduceSum", X).tolist() == [[[36]]]
    assert reduced("ReduceSum", X, keepdims=0).tolist() == 36
    assert reduced("ReduceSum", X, axes=[]).tolist() == [[[36]]]
    assert (reduced("ReduceSum", X, noop_with_empty_axes=1) == X).all()
    assert (reduced("ReduceSumSquare", X, axes=[], noop_with_empty_axes=1) == X * X).all()
    assert (reduced("ReduceL1", -X, noop_with_empty_axes=1) == X).all()
    assert (reduced("ReduceMean", X, noop_with_empty_axes=1) == X).all()


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("ReduceSum", 0),
        ("ReduceProd", 1),
        ("ReduceMax", -np.inf),
        ("ReduceMin", np.inf),
        ("ReduceL1", 0),
        ("ReduceL2", 0),
        ("ReduceSumSquare", 0),
        ("ReduceLogSum", -np.inf),
        ("ReduceLogSumExp", -np.inf),
    ],
)
def test_reductions_of_nothing(op: str, expected: float) -> None:
    y = reduced(op, np.zeros((2, 0, 3), F32), axes=[1])
    assert y.shape == (2, 1, 3)
    assert (y == expected).all()


def test_nothing_of_codes_is_the_end_of_their_range() -> None:
    none = np.zeros((2, 0), np.int8)
    assert reduced("ReduceMax", none, axes=[1], opset=20).tolist() == [[-128], [-128]]
    assert reduced("ReduceMin", none, axes=[1], opset=20).tolist() == [[127], [127]]
    assert np.isnan(reduced("ReduceMean", none.astype(F32), axes=[1])).all()


def test_integers_stay_integers() -> None:
    x = np.array([[7, -8, 2**31 - 1, 2]], np.int32)
    assert reduced("ReduceSum", x, axes=[1]).tolist() == [[-(2**31)]]
    assert reduced("ReduceMean", x[:, :2], axes=[1]).tolist() == [[0]]
    assert reduced("ReduceMean", np.array([7, 8], np.int32)).tolist() == [7]
    assert reduced("ReduceL2", np.array([3, 4], np.int64)).tolist() == [5]
    with pytest.raises(EngineError, match="the mean of no integers"):
        reduced("ReduceMean", np.zeros((2, 0), np.int32), axes=[1])


def test_half_precision_sums_in_single_precision() -> None:
    x = np.ones(5000, np.float16)
    y = reduced("ReduceSum", x)
    assert y.dtype == np.float16
    assert y.tolist() == [5000]
    assert reduced("ReduceMean", x * 60000).tolist() == [60000 - 60000 % 32]


def test_logarithm_of_large_and_infinite_powers() -> None:
    y = reduced("ReduceLogSumExp", np.array([1000, 1000], F32))
    assert y.tolist() == [float(F32(1000) + np.log(F32(2)))]
    for x, expected in (([-np.inf, -np.inf], -np.inf), ([np.inf, 0], np.inf)):
        assert reduced("ReduceLogSumExp", np.array(x, F32)).tolist() == [expected]


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"axes": [3]}, EngineError, "axes (3,) of a tensor of rank 3"),
        ({"axes": [0, -3]}, EngineError, "name one axis twice"),
        ({"axes": [-4]}, EngineError, "axes (-4,) of a tensor of rank 3"),
    ],
)
def test_refusals(how: dict[str, Any], error: type[EngineError], words: str) -> None:
    with pytest.raises(error) as caught:
        reduced("ReduceSum", X, **how)
    assert words in str(caught.value)
    assert "'r'" in str(caught.value)
    node = helper.make_node("ReduceMax", ["x"], ["y"], axes=1)
    with pytest.raises(InvalidModel, match="axes must be integers"):
        Session(graph_model([node], {"x": (F32, None)}, {"y": F32}, {}))


@pytest.mark.parametrize(
    ("attributes", "sums", "products"),
    [
        ({}, [1, 3, 6], [1, 2, 6]),
        ({"exclusive": 1}, [0, 1, 3], [1, 1, 2]),
        ({"reverse": 1}, [6, 5, 3], [6, 6, 3]),
        ({"exclusive": 1, "reverse": 1}, [5, 3, 0], [6, 3, 1]),
    ],
)
def test_running(attributes: dict[str, int], sums: list[int], products: list[int]) -> None:
    x = np.array([[1], [2], [3]], np.int32)
    for op, expected, opset in (("CumSum", sums, 14), ("CumProd", products, 26)):
        node = helper.make_node(op, ["x", "a"], ["y"], **attributes)
        model = graph_model(
            [node],
            {"x": (np.int32, None)},
            {"y": np.int32},
            {"a": np.array(-2, np.int64)},
            opset,
        )
        y = Session(model).run({"x": x})["y"]
        assert y.dtype == np.int32
        assert y.ravel().tolist() == expected
        with pytest.raises(EngineError, match="axis -2 of a tensor of shape"):
            Session(model).run({"x": x[:, 0]})
