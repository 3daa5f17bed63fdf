from typing import Any

import numpy as np
import pytest

from tests.engine.fusion import checks
from tests.engine.fusion.elementwise_models import codes, qdq

TWO = {"x": (0.02, 3), "b": (0.03, 7)}
CONCAT = [("Concat", ["x_f", "b_f"], {"axis": 1})]
# moving Q and D is what other rules do; here they would come first
MOVES = {"R30", "R31", "R32", "R33", "R34"}
FEEDS = {"x": codes(0), "b": codes(1)}


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_fires_and_stays_within_one_step(dtype: Any) -> None:
    model = qdq(CONCAT, inputs=TWO, y=(0.025, 5), dtype=dtype)
    feeds = {"x": codes(0, dtype), "b": codes(1, dtype)}
    assert checks.fired(model, off=MOVES) == {"R17"}
    on, off = (
        checks.outputs(model, feeds, fusion=each)["y"] for each in (tuple(MOVES), "off")
    )
    assert (np.abs(on.astype(int) - off) <= 1).all()


def test_equal_parameters_are_copied() -> None:
    model = qdq(CONCAT, inputs={"x": (0.05, 5), "b": (0.05, 5)}, y=(0.05, 5))
    y = checks.outputs(model, FEEDS)["y"]
    assert (y == np.concatenate([FEEDS["x"], FEEDS["b"]], 1)).all()


def test_powers_of_two_and_three_inputs() -> None:
    inputs = {"x": (2.0**-4, 3), "b": (2.0**-6, 7), "c": (2.0**-5, 0)}
    model = qdq(
        [("Concat", ["x_f", "b_f", "c_f"], {"axis": -1})], inputs=inputs, y=(2.0**-5, 11)
    )
    assert checks.fired(model, off=MOVES) == {"R17"}
    checks.assert_same_bits(model, FEEDS | {"c": codes(2)})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outputs": {"f0": np.float32}}, "G3: 'f0' is a graph output"),
        ({"dtypes": {"b": np.int8}}, "G4: dx has uint8 codes, db int8"),
        ({"inputs": TWO | {"b": (-0.1, 3)}}, "G6: the scale of db is -0.1"),
    ],
)
def test_guards(changes: dict[str, Any], reason: str) -> None:
    model = qdq(CONCAT, **({"inputs": TWO} | changes))
    assert "R17" not in checks.fired(model, off=MOVES)
    (found,) = checks.refusals(model, "R17", off=MOVES)
    assert found.startswith(reason)


def test_a_float_input_stops_it() -> None:
    model = qdq(
        [("Concat", ["x_f", "c"], {"axis": 1})],
        constants={"c": np.zeros((2, 1, 4, 5), np.float32)},
    )
    assert checks.refusals(model, "R17", off=MOVES) == {
        "pattern: input 'c' of n0 is not dequantized codes"
    }
