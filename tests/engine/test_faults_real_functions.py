"""Faults of functions of reals, with values of OpenCV 5.0.0."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engine import Session
from engine.faults import find
from tests.engine.models import Array, graph_model


def session(
    op: str, *faults: str, opset: int = 20, slope: Array | None = None, **attributes: Any
) -> Session:
    """One operator on reals of any shape."""
    constants = {} if slope is None else {"s": slope.astype(np.float32)}
    node = helper.make_node(op, ["x", *constants], ["y"], name="a", **attributes)
    model = graph_model([node], {"x": (np.float32, None)}, {"y": np.float32}, constants, opset)
    return Session(model, faults=faults)


@pytest.mark.parametrize(
    ("x", "slope", "expected"),
    [
        ((1, 1, 5), [[8, 7, 8, 4, 6]], [[[8] * 5]]),
        ((1, 3, 2), [2, 6], [[[2, 6]] * 3]),
        ((1, 3, 5), [2, 6, 5, 1, 1], [[[2] * 5, [6] * 5, [5] * 5]]),
        ((2, 3), [[6, 3, 1], [1, 7, 2]], [[6, 3, 1]] * 2),
        ((1, 3, 2), [[2], [6], [5]], [[[2, 2], [6, 6], [5, 5]]]),
        ((1, 1, 2), [5], [[[5, 5]]]),
    ],
)
def test_slopes_by_channel(x: tuple[int, ...], slope: Any, expected: Any) -> None:
    """What a PRelu of -1 is multiplied with; for two slopes of three channels nothing is known."""
    wrong = session("PRelu", "F166", slope=np.array(slope))
    y = wrong.run({"x": np.full(x, -1, np.float32)})["y"]
    assert y.tolist() == (-np.array(expected, np.float32)).tolist()
    right = session("PRelu", slope=np.array(slope)).run({"x": np.full(x, -1, np.float32)})["y"]
    if (right != y).any():
        assert find("F166").places(wrong.plan()) == ("a",)


def test_one_slope_is_everybodys() -> None:
    assert not find("F166").places(session("PRelu", slope=np.array([5])).plan())


def test_a_gelu_by_tanh_is_one_by_erf() -> None:
    """OpenCV gives 0.8413447 for 1; by tanh it is 0.841192."""
    x = {"x": np.array([1, -3], np.float32)}
    by_tanh, by_erf = session("Gelu", approximate="tanh"), session("Gelu")
    wrong = session("Gelu", "F167", approximate="tanh")
    assert wrong.run(x)["y"].tolist() == by_erf.run(x)["y"].tolist()
    one = np.float32(0.8413447)
    assert abs(wrong.run(x)["y"][0] - one) <= np.spacing(one)
    assert (wrong.run(x)["y"] != by_tanh.run(x)["y"]).all()
    assert find("F167").places(by_tanh.plan()) == ("a",)
    assert not find("F167").places(by_erf.plan())


ROWS = np.log(np.array([[[1, 3], [4, 12]]], np.float32))


@pytest.mark.parametrize(
    ("fault", "opset", "axis", "expected"),
    [
        ("F86h.last", 12, None, [1 / 4, 3 / 4, 1 / 4, 3 / 4]),
        ("F86h.reals", 11, 1, [1 / 5, 1 / 5, 4 / 5, 4 / 5]),
        ("F86h.reals", 11, None, [1 / 5, 1 / 5, 4 / 5, 4 / 5]),
        ("F86h.last", 12, 1, [1 / 20, 3 / 20, 4 / 20, 12 / 20]),
        ("F86h.last", 13, None, [1 / 4, 3 / 4, 1 / 4, 3 / 4]),
    ],
)
def test_rows_of_a_softmax(
    fault: str, opset: int, axis: int | None, expected: list[float]
) -> None:
    """OpenCV takes one axis; where none is said, opset 12 is its 13."""
    given: dict[str, Any] = {} if axis is None else {"axis": axis}
    wrong = session("Softmax", fault, opset=opset, **given)
    y = wrong.run({"x": ROWS})["y"].reshape(-1)
    assert np.abs(y - np.array(expected)).max() < 1e-6
    right = session("Softmax", opset=opset, **given).run({"x": ROWS})["y"].reshape(-1)
    assert bool(find(fault).places(wrong.plan())) == (np.abs(y - right).max() > 0.01)


@pytest.mark.parametrize(
    ("fault", "op", "last", "expected"),
    [("F163", "Tanh", 44.18813, np.nan), ("F164", "Softplus", 88.72283, np.inf)],
)
def test_an_infinite_exponential(fault: str, op: str, last: float, expected: float) -> None:
    """OpenCV's values around the last one that it gets right; -inf has an exponential of 0."""
    end = np.float32(last)
    x = np.array([end, np.nextafter(end, np.float32(99)), 1e30, np.inf, -1e30, -np.inf, 0, 1])
    right, wrong = session(op), session(op, fault)
    y = wrong.run({"x": x.astype(np.float32)})["y"]
    known = right.run({"x": x.astype(np.float32)})["y"]
    assert np.array_equal(y[[1, 2, 3]], np.full(3, expected, np.float32), equal_nan=True)
    assert np.delete(y, [1, 2, 3]).tolist() == np.delete(known, [1, 2, 3]).tolist()
    assert find(fault).places(right.plan()) == ("a",)
    assert not find(fault).places(session("Exp").plan())


def test_the_last_elements_of_a_tanh_are_computed_one_by_one() -> None:
    """Behind the last whole 8 of the tensor, whatever its shape."""
    x = np.full((1, 11, 2), 60)
    y = session("Tanh", "F163").run({"x": x.astype(np.float32)})["y"].reshape(-1)
    assert np.isnan(y[:16]).all()
    assert (y[16:] == 1).all()


@pytest.mark.parametrize(("fault", "op"), [("F163", "Tanh"), ("F164", "Softplus")])
def test_a_function_in_a_table_is_left_alone(fault: str, op: str) -> None:
    """What a table holds is at no place of the tensor; there the fault is one of operators apart."""
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 17]>
    g (uint8[256] x) => (uint8[256] y) <float s = {{1}}, uint8 z = {{0}}> {{
        a = DequantizeLinear (x, s, z) b = {op} (a) y = QuantizeLinear (b, s, z)
    }}""")
    x = {"x": np.arange(256, dtype=np.uint8)}
    fused, apart = (Session(model, fusion=way, faults=[fault]) for way in ("on", "off"))
    right = Session(model).run(x)["y"].tolist()
    assert fused.run(x)["y"].tolist() == right != apart.run(x)["y"].tolist()
    assert not find(fault).places(fused.plan())
    assert find(fault).places(apart.plan()) == ("b",)
