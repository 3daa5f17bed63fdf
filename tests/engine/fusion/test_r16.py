"""R16: what chooses by order alone works on codes."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from tests.engine.fusion.checks import assert_same_bits, fired, refusals
from tests.engine.fusion.pools import axes, behind, codes

K = {"k": np.array([3], np.int64)}
CODES = [np.uint8, np.int8, np.int16]


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin"])
def test_extremes_between_an_equal_pair(op: str, dtype: Any) -> None:
    for how in ({"constants": axes(1, 3)}, {}, {"keepdims": 0, "constants": axes(-1)}):
        model = behind(op, x=(0.1, 5), y=(0.1, 5), dtype=dtype, **how)
        (step,) = Session(model).plan().steps
        assert (step.kind, step.rule, step.nodes) == (op, "R16", ("d", "a", "q"))
        assert_same_bits(model, {"x": codes(dtype)})


@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin"])
def test_extremes_of_nothing_are_the_end_of_the_range(op: str) -> None:
    model = behind(op, dtype=np.int8, constants=axes(3))
    assert fired(model) == {"R16"}
    assert_same_bits(model, {"x": np.zeros((1, 2, 3, 0), np.int8)})


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("last", [0, 1])
def test_an_index_needs_no_quantization(op: str, last: int, dtype: Any) -> None:
    model = behind(
        op, y=None, x=(0.1, 5), dtype=dtype, made=("i",), axis=2, select_last_index=last
    )
    (step,) = Session(model).plan().steps
    assert (step.kind, step.rule, step.nodes) == (op, "R16", ("d", "a"))
    x = codes(dtype)
    assert_same_bits(model, {"x": x // 40 * 40})


@pytest.mark.parametrize("largest", [0, 1])
def test_top_k(largest: int) -> None:
    x = codes() // 40 * 40
    how: dict[str, Any] = {"constants": K, "axis": 2, "largest": largest}
    both = behind("TopK", made=("g", "i"), outputs=("y", "i"), **how)
    assert fired(both) == {"R16"}
    assert_same_bits(both, {"x": x})
    values = behind("TopK", made=("g", "i"), **how)
    assert fired(values) == {"R16"}
    assert_same_bits(values, {"x": x})
    unread = behind("TopK", y=None, made=("g", "i"), outputs=("i",), **how)
    (step,) = Session(unread).plan().steps
    assert (step.kind, step.rule, step.outputs) == ("TopK", "R16", ("i",))
    assert_same_bits(unread, {"x": x})
    absent = behind("TopK", y=None, made=("", "i"), outputs=("i",), **how)
    assert fired(absent) == {"R16"}
    assert_same_bits(absent, {"x": x})


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            behind("ReduceMax", y=(0.5, 5)),
            "G5: d and q differ: scale 0.25 and 0.5",
        ),
        (
            behind("TopK", y=(0.25, 4), constants=K, made=("g", "i")),
            "G5: d and q differ: zero point 5 and 4",
        ),
        (
            behind("ReduceMin", x=(-1, 5), y=(-1, 5)),
            "G6: the scale -1 of d does not keep the order of the codes",
        ),
        (
            behind("ArgMax", y=None, x=(-1, 5), made=("i",)),
            "G6: the scale -1 of d does not keep the order of the codes",
        ),
        (
            behind("ArgMin", y=None, x=(3e36, 5), made=("i",)),
            "G6: the scale 3.00000004e+36 of d overflows float32 times 250",
        ),
        (
            behind("ArgMax", y=None, inputs={"xz": 1}, made=("i",)),
            "G1: the zero point 'xz' of d is computed, not constant",
        ),
        (
            behind("ArgMax", y=None, x=([0.1] * 3, [1] * 3), made=("i",)),
            "G2: d has 3 scales, the kernel takes 1",
        ),
        (
            behind("ArgMax", y=None, dtype=np.int32, made=("i",)),
            "G7: d has int32 codes, no type of codes",
        ),
        (
            behind("ReduceMax", outputs=("y", "g")),
            "G3: 'g' is a graph output, so it must exist in float",
        ),
    ],
)
def test_it_does_not_fire_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert refusals(model, "R16", off=["R26"]) == {reason}
    assert "R16" not in fired(model)
    if not any(each.name != "x" for each in model.graph.input):
        dtype = {2: np.uint8, 6: np.int32}[model.graph.input[0].type.tensor_type.elem_type]
        assert_same_bits(model, {"x": codes(np.uint8).astype(dtype)})


def test_an_index_of_reals_and_a_maximum_without_quantization_are_no_pattern() -> None:
    model = behind("ReduceMax", y=None)
    assert refusals(model, "R16") == set()
    assert "R16" not in fired(model)
