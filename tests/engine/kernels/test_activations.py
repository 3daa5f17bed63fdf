from typing import Any

import numpy as np
import pytest

from engine import EngineError, InvalidModel, Session
from tests.engine.kernels.test_elementwise import model, one
from tests.engine.models import Array

X = np.array([-3, -1, -0.25, 0, 0.25, 1, 3], np.float32)


@pytest.mark.parametrize(
    ("op", "attributes", "expected"),
    [
        ("LeakyRelu", {"alpha": 0.5}, [-1.5, -0.5, -0.125, 0, 0.25, 1, 3]),
        ("ThresholdedRelu", {}, [0, 0, 0, 0, 0, 0, 3]),
        ("ThresholdedRelu", {"alpha": -0.25}, [0, 0, 0, 0, 0.25, 1, 3]),
        ("HardSigmoid", {"alpha": 0.5, "beta": 0.25}, [0, 0, 0.125, 0.25, 0.375, 0.75, 1]),
        ("Shrink", {"lambd": 0.5, "bias": 0.25}, [-2.75, -0.75, 0, 0, 0, 0.75, 2.75]),
        (
            "HardSwish",
            {},
            [0, -1 / 3, -0.25 * (0.5 - 0.25 / 6), 0, 0.25 * (0.5 + 0.25 / 6), 2 / 3, 3],
        ),
    ],
)
def test_straight_lines(op: str, attributes: dict[str, Any], expected: list[float]) -> None:
    assert one(op, X, **attributes).tolist() == np.array(expected, np.float32).tolist()


@pytest.mark.parametrize("op", ["Elu", "Celu", "Selu"])
def test_exponential_tails(op: str) -> None:
    alpha, gamma = (1.6732632423543772, 1.0507009873554805) if op == "Selu" else (1.0, 1.0)
    alpha, gamma = float(np.float32(alpha)), float(np.float32(gamma))
    y = one(op, X)
    wide = X.astype(float)
    expected = gamma * np.where(wide > 0, wide, alpha * np.expm1(np.minimum(wide, 0)))
    assert (y == expected.astype(np.float32)).all()
    assert one(op, np.array([-1e30, 1e30], np.float32)).tolist()[0] == np.float32(
        -gamma * alpha
    )


def test_swish_and_its_alpha() -> None:
    wide = X.astype(float)
    expected = (wide / (1 + np.exp(-0.5 * wide))).astype(np.float32)
    assert (one("Swish", X, opset=24, alpha=0.5) == expected).all()


def test_gelu_in_both_forms() -> None:
    exactly, by_tanh = one("Gelu", X), one("Gelu", X, approximate="tanh")
    assert exactly.tolist()[3] == 0
    assert 0 < np.abs(exactly - by_tanh).max() < 1e-3
    with pytest.raises(InvalidModel, match="approximate is 'none of them'"):
        one("Gelu", X, approximate="none of them")


def prelu(x: Array, slope: Array) -> Array:
    made = model("PRelu", x)
    made.graph.node[0].input.append("slope")
    made.graph.input.append(made.graph.input[0])
    made.graph.input[1].name = "slope"
    del made.graph.input[1].type.tensor_type.shape.dim[:]
    made.graph.input[1].type.tensor_type.ClearField("shape")
    return Session(made).run({"x": x, "slope": slope})["y"]


def test_prelu_broadcasts_its_slope_only() -> None:
    x = np.full((2, 3, 1, 2), -2, np.float32)
    slope = np.array([0.5, 1, -1], np.float32).reshape(3, 1, 1)
    assert prelu(x, slope)[0, :, 0, 0].tolist() == [-1, -2, 2]
    assert (prelu(np.abs(x), slope) == 2).all()
    with pytest.raises(EngineError, match="does not broadcast to"):
        prelu(x, np.ones((5, 2, 3, 1, 2), np.float32))
