"""The last pixel of a linear Resize, with the values of OpenCV 5.0.0."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine.faults import find
from engine.session import Session
from tests.engine.models import Array, graph_model


def resized(shape: list[int], scales: list[float], mode: str = "linear") -> onnx.ModelProto:
    constants: dict[str, Any] = {"by": np.array(scales, np.float32)}
    node = onnx.helper.make_node("Resize", ["x", "", "by"], ["y"], name="r", mode=mode)
    return graph_model([node], {"x": (np.float32, shape)}, {"y": np.float32}, constants, 19)


def values(model: onnx.ModelProto, x: Array, *faults: str) -> list[float]:
    found: list[float] = Session(model, faults=faults).run({"x": x})["y"].reshape(-1).tolist()
    return found


@pytest.mark.parametrize(
    ("x", "scales", "last"),
    [
        ([[[1], [2], [4], [8]]], [1, 1, 2, 1], [5.0, 7.0, 7.999996185302734]),
        ([[[1, 2], [4, 8]]], [1, 1, 1, 2], [6.999994277954102, 7.9999895095825195]),
        ([[[1, 2], [4, 8]]], [1, 1, 2, 1], [3.9999969005584717, 7.9999895095825195]),
        ([[[1.5]], [[2.5]], [[5]]], [1, 1, 2, 1], [4.999997138977051] * 2),
    ],
)
def test_it_is_mixed_with_a_millionth_of_the_one_before(
    x: Any, scales: list[float], last: list[float]
) -> None:
    """An axis of one row has none before it but what lies there in memory."""
    given = np.array([x], np.float32)
    model = resized(list(given.shape), scales)
    assert values(model, given, "F160")[-len(last) :] == last
    assert values(model, given)[-1] == given.reshape(-1)[-1]
    assert find("F160").places(Session(model, faults=["F160"]).plan()) == ("r",)


@pytest.mark.parametrize(
    ("shape", "mode"), [([1, 1, 4, 1], "nearest"), ([1, 4, 1], "linear"), ([4, 1], "linear")]
)
def test_other_modes_and_ranks_are_as_they_should_be(shape: list[int], mode: str) -> None:
    x = np.arange(4, dtype=np.float32).reshape(shape)
    model = resized(shape, [2.0 if n == 4 else 1.0 for n in shape], mode)
    assert values(model, x, "F160") == values(model, x)
