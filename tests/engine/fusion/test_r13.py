from typing import Any

import numpy as np
import pytest

from tests.engine.fusion import checks
from tests.engine.fusion.elementwise_models import codes, qdq

SOFTMAX = [("Softmax", ["x_f"], {"axis": 1})]


@pytest.mark.parametrize("opset", [11, 12, 13, 18])
@pytest.mark.parametrize("axis", [-1, 1, 2, -4])
def test_fires_and_keeps_axis_and_opset(axis: int, opset: int) -> None:
    model = qdq([("Softmax", ["x_f"], {"axis": axis})], y=(1 / 256, 0), opset=opset)
    feeds = {"x": codes(0)}
    assert checks.fired(model) == {"R13"}
    on, off = (checks.outputs(model, feeds, fusion=each)["y"] for each in ("on", "off"))
    assert (np.abs(on.astype(int) - off) <= 1).all()
    assert (on != off).mean() < 0.02


def test_without_an_axis_the_opset_decides() -> None:
    x = codes(0)
    for opset, axes in ((12, (1, 2, 3)), (13, (3,))):
        model = qdq([("Softmax", ["x_f"], {})], y=(1 / 4096, 0), opset=opset)
        e = np.exp((x.astype(float) - 3) * np.float32(0.02))
        expected = np.rint(e / e.sum(axis=axes, keepdims=True) * 4096).clip(0, 255)
        assert (checks.outputs(model, {"x": x})["y"] == expected).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outputs": {"f0": np.float32}}, "G3: 'f0' is a graph output"),
        ({"dtypes": {"y": np.int8}}, "G4: dx has uint8 codes, qy int8"),
        ({"inputs": {"x": (-0.1, 3)}}, "G6: the scale of dx is -0.1"),
        ({"y": (1e-30, 3)}, "G6: the scale 1.0000000031710769e-30 of qy is not between"),
        ({"dtype": np.uint16}, "G7: dx has uint16 codes"),
    ],
)
def test_guards(changes: dict[str, Any], reason: str) -> None:
    model = qdq(SOFTMAX, **changes)
    assert "R13" not in checks.fired(model)
    (found,) = checks.refusals(model, "R13")
    assert found.startswith(reason)
