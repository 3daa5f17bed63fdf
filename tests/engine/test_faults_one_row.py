"""Convolutions of single pixels, with the values of OpenCV 5.0.0."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine.faults import find
from engine.session import Session
from tests.engine.models import Array, graph_model

ZERO = 200  # the zero point of y
IMAGE = np.arange(1, 13, dtype=np.uint8)


def of_pixels(shape: list[int], w: Array, pads: list[int], **given: Any) -> onnx.ModelProto:
    one = np.float32(1)
    constants: dict[str, Any] = {
        "a": one,
        "p": np.uint8(0),
        "w": w.reshape(*w.shape, *[1] * (len(shape) - 2)),
        "b": one,
        "q": np.int8(0),
        "c": one,
        "r": np.uint8(ZERO),
    }
    node = onnx.helper.make_node(
        "QLinearConv", ["x", *constants], ["y"], name="c", pads=pads, **given
    )
    arrays = {name: np.array(value) for name, value in constants.items()}
    return graph_model([node], {"x": (np.uint8, shape)}, {"y": np.uint8}, arrays, 13)


def values(model: onnx.ModelProto, x: Array, *faults: str) -> list[int]:
    found = Session(model, faults=faults).run({"x": x})["y"].reshape(-1)
    return [int(each) - ZERO for each in found]


@pytest.mark.parametrize(
    ("shape", "pads", "expected"),
    [
        ([1, 1, 3, 4], [0, 1, 0, 1], [0, *range(1, 13), 0, 0, 0, 0, 0]),
        ([1, 1, 3, 4], [0, 2, 0, 2], [0, 0, *range(1, 13), *[0] * 10]),
        ([1, 1, 3, 4], [1, 0, 1, 0], [0] * 20),
        ([1, 1, 3, 4], [2, 1, 2, 1], [0] * 42),
        ([1, 1, 1, 12, 1], [0, 0, 1, 0, 0, 1], [0, *range(1, 13), *[0] * 23]),
        ([1, 1, 1, 12, 1], [0, 1, 0, 0, 1, 0], [0] * 14),
    ],
)
def test_the_plane_is_one_row(shape: list[int], pads: list[int], expected: list[int]) -> None:
    x = IMAGE.reshape(shape)
    model = of_pixels(shape, np.ones((2, 1), np.int8), pads)
    found = values(model, x, "F162")
    assert found == expected * 2
    assert values(model, x) != found
    assert find("F162").places(Session(model, faults=["F162"]).plan()) == ("c",)


@pytest.mark.parametrize(
    "given",
    [
        {"pads": [0, 1, 0, 1], "strides": [2, 1]},
        {"pads": [0, 1, 0, 0]},
        {"pads": [0, 0, 0, 0]},
        {"pads": [0, 1, 0, 1], "group": 2},
    ],
)
def test_strides_one_side_and_small_groups_are_others(given: dict[str, Any]) -> None:
    model = of_pixels([1, 2, 2, 3], np.ones((2, 2 // given.get("group", 1)), np.int8), **given)
    assert find("F162").places(Session(model, faults=["F162"]).plan()) == ()


def test_one_plane_has_a_kernel_of_its_own() -> None:
    model = of_pixels([1, 1, 3, 4], np.ones((1, 1), np.int8), [0, 1, 0, 1])
    assert find("F162").places(Session(model, faults=["F162"]).plan()) == ()
