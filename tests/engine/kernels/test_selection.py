"""What is chosen by order: which of equal elements, on which axis."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from engine import Session
from engine.errors import EngineError, InvalidModel
from tests.engine.models import Array, graph_model


def chosen(
    op: str,
    x: Array,
    *,
    k: Any = None,
    outputs: tuple[str, ...] = ("y",),
    opset: int = 13,
    **how: Any,
) -> list[Array]:
    constants = {} if k is None else {"k": np.asarray(k, np.int64)}
    node = helper.make_node(op, ["x", *constants], outputs, name="s", **how)
    dtypes = {
        n: x.dtype if op in ("TopK", "Hardmax") and n == "y" else np.int64
        for n in outputs
        if n
    }
    model = graph_model([node], {"x": (x.dtype, None)}, dtypes, constants, opset)
    return list(Session(model).run({"x": x}).values())


ROWS = st.lists(st.integers(-3, 3), min_size=1, max_size=9)


@given(ROWS, st.booleans(), st.sampled_from(["ArgMax", "ArgMin"]))
def test_of_equal_extremes_the_first_or_the_last(row: list[int], last: bool, op: str) -> None:
    x = np.array([row], np.int8)
    wanted = max(row) if op == "ArgMax" else min(row)
    places = [i for i, each in enumerate(row) if each == wanted]
    for keep in (0, 1):
        (y,) = chosen(op, x, axis=1, select_last_index=int(last), keepdims=keep)
        assert y.dtype == np.int64
        assert y.shape == ((1, 1) if keep else (1,))
        assert y.item() == places[-1 if last else 0]


@given(ROWS, st.data(), st.booleans(), st.sampled_from([np.uint8, np.int8, np.float32]))
def test_top_k_puts_the_lower_index_first(
    row: list[int], data: Any, most: bool, dtype: Any
) -> None:
    k = data.draw(st.integers(0, len(row)))
    x = np.array(row).astype(dtype).reshape(1, -1, 1)
    values, indices = chosen(
        "TopK", x, k=[k], outputs=("y", "i"), axis=-2, largest=int(most), opset=11
    )
    flat = x.ravel().tolist()
    order = sorted(range(len(flat)), key=lambda i: (-flat[i] if most else flat[i], i))[:k]
    assert indices.shape == values.shape == (1, k, 1)
    assert indices.ravel().tolist() == order
    assert values.ravel().tolist() == [flat[i] for i in order]
    assert values.dtype == dtype


def test_top_k_below_opset_10_and_unsorted_and_one_output() -> None:
    x = np.array([1, 9, 4, 9], np.float32)
    old = graph_model(
        [helper.make_node("TopK", ["x"], ["y", "i"], k=2)],
        {"x": (np.float32, None)},
        {"y": np.float32, "i": np.int64},
        {},
        9,
    )
    found = Session(old).run({"x": x})
    assert (found["y"].tolist(), found["i"].tolist()) == ([9, 9], [1, 3])
    assert chosen("TopK", x, k=3, sorted=0)[0].tolist() == [9, 9, 4]
    (indices,) = chosen("TopK", x, k=3, outputs=("", "i"))
    assert indices.tolist() == [1, 3, 2]


def test_nan_is_larger_than_any_number() -> None:
    x = np.array([1, np.nan, np.inf, -np.inf], np.float32)
    assert chosen("TopK", x, k=2, outputs=("y", "i"))[1].tolist() == [1, 2]
    assert chosen("TopK", x, k=2, outputs=("y", "i"), largest=0)[1].tolist() == [3, 0]


def test_extremes_of_the_lowest_codes() -> None:
    x = np.array([-128, 127, -128, 127], np.int8)
    assert chosen("TopK", x, k=4, outputs=("y", "i"))[1].tolist() == [1, 3, 0, 2]
    u = np.array([0, 2**64 - 1, 0], np.uint64)
    assert chosen("TopK", u, k=3, outputs=("y", "i"))[1].tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("op", "how", "error", "words"),
    [
        ("ArgMax", {"axis": 2}, EngineError, "axis 2 of a tensor of shape (2, 3)"),
        ("TopK", {"k": 4}, EngineError, "k is 4 on axis -1 of shape (2, 3)"),
        ("TopK", {"k": -1}, EngineError, "k is -1"),
        ("TopK", {"k": [1, 2]}, EngineError, "k has shape (2,)"),
        ("TopK", {}, InvalidModel, "needs k"),
        ("Hardmax", {"axis": 0.5}, InvalidModel, "axis must be an integer"),
    ],
)
def test_refusals(op: str, how: dict[str, Any], error: type[EngineError], words: str) -> None:
    with pytest.raises(error) as caught:
        chosen(op, np.zeros((2, 3), np.float32), **how)
    assert words in str(caught.value)
    assert "'s'" in str(caught.value)


def test_an_empty_axis_has_no_extreme() -> None:
    with pytest.raises(EngineError, match="axis 1 of shape"):
        chosen("ArgMax", np.zeros((2, 0), np.float32), axis=1)
    assert chosen("ArgMax", np.zeros((2, 0), np.float32), axis=0)[0].shape == (1, 0)


def test_hardmax_marks_the_first_largest() -> None:
    x = np.array([[[1, 3], [3, 0]]], np.float32)
    assert chosen("Hardmax", x)[0].tolist() == [[[0, 1], [1, 0]]]
    assert chosen("Hardmax", x, opset=12)[0].tolist() == [[[0, 1], [0, 0]]]
    assert chosen("Hardmax", x, opset=12, axis=3)[0].tolist() == [[[1, 1], [1, 1]]]


def test_places_that_are_not_zero() -> None:
    assert chosen("NonZero", np.array([[1, 0], [0, -2]], np.float32))[0].tolist() == [
        [0, 1],
        [0, 1],
    ]
    assert chosen("NonZero", np.array([0, 0], np.int8))[0].shape == (1, 0)
    assert chosen("NonZero", np.array(5, np.float32))[0].shape == (0, 1)
