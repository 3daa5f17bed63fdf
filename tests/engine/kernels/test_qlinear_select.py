from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from engine import EngineError, Session
from tests.emulation.elementwise import affine, contrib, every_code
from tests.engine.models import Array

SCALES = {"a": (0.5, 3), "b": (0.1, 100), "y": (1.0, 21)}
CONCAT = ["ys", "yz", "a", "as", "az", "b", "bs", "bz"]
WHERE = ["c", "a", "as", "az", "b", "bs", "bz", "ys", "yz"]


def constants(dtype: Any, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, (scale, zero_point) in SCALES.items():
        given |= affine(name, scale, zero_point, dtype)
    return given | changes


def requantized(q: Array, name: str) -> list[int]:
    """``sat(rne((q - z) s / ys) + yz)`` in rationals."""
    low, high = np.iinfo(q.dtype).min, np.iinfo(q.dtype).max
    ratio = Fraction(float(np.float32(SCALES[name][0]))) / Fraction(SCALES["y"][0])
    codes = [round((int(each) - SCALES[name][1]) * ratio) + SCALES["y"][1] for each in q]
    return [max(low, min(high, each)) for each in codes]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_every_code_of_every_input_is_rounded_once(dtype: Any) -> None:
    q = every_code(dtype)
    feeds = {"a": q, "b": q}
    y = Session(contrib("QLinearConcat", CONCAT, feeds, constants(dtype), axis=0)).run(feeds)[
        "y"
    ]
    assert y.tolist() == requantized(q, "a") + requantized(q, "b")
    feeds["c"] = np.arange(256) % 3 == 0
    y = Session(contrib("QLinearWhere", WHERE, feeds, constants(dtype))).run(feeds)["y"]
    assert (
        y.tolist() == np.where(feeds["c"], requantized(q, "a"), requantized(q, "b")).tolist()
    )


def test_where_broadcasts_all_three() -> None:
    feeds = {
        "c": np.array([[True], [False]]),
        "a": np.array([5, 9], np.uint8),
        "b": np.array(110, np.uint8),
    }
    y = Session(contrib("QLinearWhere", WHERE, feeds, constants(np.uint8))).run(feeds)["y"]
    assert y.tolist() == [[22, 24], [22, 22]]


def test_axis_and_shapes() -> None:
    feeds = {"a": np.zeros((2, 1, 3), np.uint8), "b": np.zeros((2, 4, 3), np.uint8)}
    model = contrib("QLinearConcat", CONCAT, feeds, constants(np.uint8), axis=-2)
    assert Session(model).run(feeds)["y"].shape == (2, 5, 3)
    wrong = Session(contrib("QLinearConcat", CONCAT, feeds, constants(np.uint8), axis=0))
    with pytest.raises(EngineError, match="cannot take"):
        wrong.run(feeds)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"as": np.float32(0)}, "the input 0 scale is 0.0"),
        ({"bz": np.int8(3)}, "the input 1 zero point is int8"),
        ({"yz": np.uint16(3)}, "uint16 codes; only int8 and uint8"),
    ],
)
def test_parameters_that_do_not_fit(changes: dict[str, Any], words: str) -> None:
    feeds = {"a": np.zeros(3, np.uint8), "b": np.zeros(3, np.uint8)}
    with pytest.raises(EngineError, match=words):
        Session(
            contrib("QLinearConcat", CONCAT, feeds, constants(np.uint8, **changes), axis=0)
        )


def test_an_input_too_few_and_a_wrong_condition() -> None:
    feeds = {"a": np.zeros(3, np.uint8), "b": np.zeros(3, np.uint8)}
    with pytest.raises(EngineError, match="7 inputs; it takes 2 and 3 for each tensor"):
        Session(contrib("QLinearConcat", CONCAT[:-1], feeds, constants(np.uint8), axis=0))
    feeds["c"] = np.ones(3, np.uint8)
    with pytest.raises(EngineError, match="the condition is uint8"):
        Session(contrib("QLinearWhere", WHERE, feeds, constants(np.uint8))).run(feeds)
