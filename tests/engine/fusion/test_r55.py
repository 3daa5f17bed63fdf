from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.engine.fusion import checks
from tests.engine.models import graph_model

X = {"x": np.arange(256, dtype=np.uint8)}
SIX = np.float32(6)


def model(
    op: str, scale: float, zero_point: int, low: float = 0, high: float = 6
) -> onnx.ModelProto:
    constants: dict[str, Any] = {
        "s": np.asarray(scale, np.float32),
        "z": np.asarray(zero_point, np.uint8),
        "low": np.asarray(low, np.float32),
        "high": np.asarray(high, np.float32),
    }
    names = ["f", "low", "high"] if op == "Clip" else ["f"]
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["f"], name="dx"),
        helper.make_node(op, names, ["y"], name="n0"),
    ]
    return graph_model(nodes, {"x": (np.uint8, [256])}, {"y": np.float32}, constants, 14)


@pytest.mark.parametrize(
    ("op", "scale", "zero_point"),
    [("Relu", 0.1, 0), ("Clip", 6 / 256, 0), ("Clip", 2.0**-7, 0)],
)
def test_fires_where_no_code_is_outside(op: str, scale: float, zero_point: int) -> None:
    made = model(op, scale, zero_point)
    assert checks.fired(made) == {"R55"}
    checks.assert_same_bits(made, X)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (model("Relu", 0.5, 1), "G11: Relu n0 keeps 0 to inf, dx gives -0.5 to 127"),
        (model("Clip", 0.5, 0), "G11: Clip n0 keeps 0 to 6, dx gives 0 to 127.5"),
        (
            model("Clip", 0.5, 0, low=float(np.nan), high=200),
            "G11: Clip n0 keeps nan to 200, dx gives 0 to 127.5",
        ),
        (
            model("Relu", -0.5, 0),
            "G6: the scale of dx is -0.5; a scale must be positive and finite",
        ),
    ],
)
def test_guards(made: onnx.ModelProto, reason: str) -> None:
    assert checks.fired(made) == set()
    assert checks.refusals(made, "R55") == {reason}
    checks.assert_same_bits(made, X)


def test_the_last_code_decides() -> None:
    for scale, wanted in ((SIX / 255, {"R55"}), (np.nextafter(SIX / 255, SIX), set())):
        top = float(np.float32(255) * np.float32(scale))
        assert checks.fired(model("Clip", float(scale), 0)) == (wanted if top <= 6 else set())
