from typing import Any

import numpy as np
import pytest

from tests.engine.fusion import checks
from tests.engine.fusion.elementwise_models import Step, codes, qdq

EXACT = {"x": (2.0**-5, 130), "b": (2.0**-4, 100)}
FEEDS = {"x": codes(0), "b": codes(1)}
BOUNDS = {"low": np.float32(-0.4), "high": np.float32(6)}


def clamped(activation: str, **more: Any) -> Any:
    names = ["f0", "low", "high"] if activation == "Clip" else ["f0"]
    steps: list[Step] = [("Add", ["x_f", "b_f"], {}), (activation, names, {})]
    given = {"inputs": EXACT, "y": (2.0**-3, 20), "constants": BOUNDS}
    return qdq(steps, **(given | more))


@pytest.mark.parametrize("activation", ["Relu", "Clip"])
def test_fires_and_keeps_values(activation: str) -> None:
    model = clamped(activation)
    assert checks.fired(model) == {"R11"}
    checks.assert_same_bits(model, FEEDS)
    y = checks.outputs(model, FEEDS)["y"]
    assert y.min() == {"Relu": 20, "Clip": 17}[activation]
    assert activation == "Relu" or y.max() == 68


def test_every_operator_of_r10_takes_an_activation() -> None:
    for op in ("Sub", "Mul", "Max", "Min", "Sum"):
        steps: list[Step] = [(op, ["x_f", "b_f"], {}), ("Relu", ["f0"], {})]
        model = qdq(steps, inputs=EXACT, y=(2.0**-3, 20))
        assert checks.fired(model) == {"R11"}
        checks.assert_same_bits(model, FEEDS)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outputs": {"f0": np.float32}}, "G3: 'f0' is a graph output"),
        ({"outputs": {"f1": np.float32}}, "G3: 'f1' is a graph output"),
        ({"constants": BOUNDS | {"low": np.float32(np.nan)}}, "G6: Clip n1 has bounds"),
    ],
)
def test_guards(changes: dict[str, Any], reason: str) -> None:
    model = clamped("Clip", **changes)
    assert "R11" not in checks.fired(model)
    (found,) = checks.refusals(model, "R11")
    assert found.startswith(reason)
