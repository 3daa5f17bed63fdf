from typing import Any

import numpy as np
import onnx
import pytest

from tests.engine.fusion import checks
from tests.engine.fusion.elementwise_models import Step, codes, qdq

TWO = {"x": (0.02, 3), "b": (0.03, 7)}
ADD: list[Step] = [("Add", ["x_f", "b_f"], {})]
EXACT = {"x": (2.0**-5, 3), "b": (2.0**-4, 7)}
OPS = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum")


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("op", OPS)
def test_fires_and_stays_within_one_step(op: str, dtype: Any) -> None:
    model = qdq([(op, ["x_f", "b_f"], {})], inputs=TWO, dtype=dtype)
    feeds = {"x": codes(0, dtype), "b": codes(1, dtype)}
    assert checks.fired(model) == {"R10"}
    on, off = (checks.outputs(model, feeds, fusion=each)["y"] for each in ("on", "off"))
    assert (np.abs(on.astype(int) - off) <= 1).all()
    assert (on != off).mean() < 0.05


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Max", "Min", "Sum"])
def test_powers_of_two_leave_nothing_to_round(op: str) -> None:
    model = qdq([(op, ["x_f", "b_f"], {})], inputs=EXACT, y=(2.0**-3, 9))
    checks.assert_same_bits(model, {"x": codes(0), "b": codes(1)})


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_stays_inside_the_oracle_s_set(op: str) -> None:
    model = qdq([(op, ["x_f", "b_f"], {})], inputs=TWO)
    checks.assert_inside(model, {"x": codes(0), "b": codes(1)})


@pytest.mark.parametrize("shape", [(1,), (5,), (3, 1, 1), (2, 3, 4, 1), (1, 1, 1, 1)])
def test_operands_broadcast(shape: tuple[int, ...]) -> None:
    model = qdq(
        [("Sub", ["x_f", "b_f"], {})], inputs=EXACT, y=(2.0**-3, 9), shapes={"b": shape}
    )
    assert checks.fired(model) == {"R10"}
    checks.assert_same_bits(model, {"x": codes(0), "b": codes(1, shape=shape)})


def test_an_operand_may_be_constant_codes() -> None:
    model = qdq(
        [("Mul", ["x_f", "b_f"], {})], inputs=EXACT, y=(2.0**-3, 9), shapes={"b": (3, 1, 1)}
    )
    del model.graph.input[1]
    b = codes(1, shape=(3, 1, 1))
    model.graph.initializer.append(onnx.numpy_helper.from_array(b, "b"))
    assert checks.fired(model) == {"R10"}
    checks.assert_same_bits(model, {"x": codes(0)})


def test_three_inputs_are_three_inputs() -> None:
    inputs = EXACT | {"c": (2.0**-6, 1)}
    for op in ("Sum", "Max", "Min"):
        model = qdq([(op, ["x_f", "b_f", "c_f"], {})], inputs=inputs, y=(2.0**-3, 9))
        assert checks.fired(model) == {"R10"}
        checks.assert_same_bits(model, {"x": codes(0), "b": codes(1), "c": codes(2)})


def test_a_shared_dequantize_stays() -> None:
    model = qdq(ADD, inputs=EXACT, y=(2.0**-3, 9), outputs={"x_f": np.float32})
    checks.assert_same_bits(model, {"x": codes(0), "b": codes(1)})
    assert checks.fired(model) >= {"R10"}


def test_x_plus_x_is_a_table() -> None:
    assert checks.fired(qdq([("Add", ["x_f", "x_f"], {})])) == {"R12"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"outputs": {"f0": np.float32}},
            "G3: 'f0' is a graph output, so it must exist in float",
        ),
        (
            {"dtypes": {"b": np.int8}},
            "G4: dx has uint8 codes, db int8; the kernel needs one type",
        ),
        (
            {"dtypes": {"y": np.int8}},
            "G4: dx has uint8 codes, qy int8; the kernel needs one type",
        ),
        (
            {"inputs": TWO | {"b": (-0.5, 7)}},
            "G6: the scale of db is -0.5; a scale must be positive and finite",
        ),
        (
            {"inputs": TWO | {"b": (1e-20, 7)}},
            "G6: the scale 9.999999682655225e-21 of db is not between 2**-60 and 2**60, where "
            "float32 steps are safe",
        ),
        (
            {"dtype": np.uint16},
            "G7: dx has uint16 codes, the kernels int8 and uint8",
        ),
    ],
)
def test_guards(changes: dict[str, Any], reason: str) -> None:
    model = qdq(ADD, **({"inputs": TWO} | changes))
    assert "R10" not in checks.fired(model)
    assert checks.refusals(model, "R10") == {reason}


def test_every_input_must_be_codes() -> None:
    model = qdq([("Sum", ["x_f", "b_f", "c"], {})], inputs=TWO, constants={"c": np.float32(1)})
    assert checks.fired(model) == set()
    assert checks.refusals(model, "R10") == {
        "pattern: input 'c' of n0 is not dequantized codes"
    }


def test_switched_off() -> None:
    assert checks.fired(qdq(ADD, inputs=TWO), off={"R10"}) == set()
    assert checks.refusals(qdq(ADD, inputs=TWO), "R10", off={"R46"}) == set()
