from typing import Any

import numpy as np
import pytest

from engine import EngineError, Session
from tests.emulation.elementwise import affine, contrib
from tests.engine.models import Array

NAMES = ["x", "xs", "xz", "ys", "yz"]
X = np.random.default_rng(2).integers(0, 256, (2, 3, 4, 5)).astype(np.uint8)


def run(x: Array, y: tuple[float, int], **attributes: Any) -> Array:
    constants = affine("x", 0.05, 3, x.dtype) | affine("y", *y, x.dtype)
    model = contrib("QLinearSoftmax", NAMES, {"x": x}, constants, **attributes)
    return Session(model).run({"x": x})["y"]


@pytest.mark.parametrize(
    ("attributes", "together"),
    [
        ({"opset": 13}, (3,)),
        ({"opset": 13, "axis": 1}, (1,)),
        ({"opset": 12}, (3,)),  # the axis is the last one in either opset
        ({"opset": 12, "axis": 1}, (1, 2, 3)),
        ({"opset": 11, "axis": 2}, (2, 3)),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_the_real_value_is_rounded_once(
    dtype: Any, attributes: dict[str, Any], together: tuple[int, ...]
) -> None:
    x = X.view(dtype)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    e = np.exp(x.astype(float) * float(np.float32(0.05)))
    exact = e / e.sum(axis=together, keepdims=True)
    for scale in (2.0**-8, 2.0**-12, 0.01):
        steps = exact / float(np.float32(scale))
        expected = (np.rint(steps) + low).clip(low, high)
        assert (run(x, (scale, low), **attributes) == expected).all()


def test_equal_codes_are_ties() -> None:
    x = np.full((1, 2), 77, np.uint8)
    assert run(x, (1.0, 3), opset=13).tolist() == [[3, 3]]  # rne(1/2) is 0
    assert run(x, (1 / 3, 3), opset=13).tolist() == [[4, 4]]  # fl(1/3) is above 1/3


def test_nothing_and_one() -> None:
    assert run(np.zeros((0, 3), np.uint8), (1 / 256, 0), opset=13).shape == (0, 3)
    assert run(np.array([9], np.uint8), (1 / 128, 0), opset=13).tolist() == [128]


def test_an_opset_is_required() -> None:
    with pytest.raises(EngineError, match="has no opset"):
        run(X, (1 / 256, 0))
    with pytest.raises(EngineError, match="axis 4 of a tensor of rank 4"):
        run(X, (1 / 256, 0), opset=13, axis=4)
