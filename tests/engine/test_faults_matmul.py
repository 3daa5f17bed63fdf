"""Faults of matrix products show under their trigger and nowhere else."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from engine.faults.fault import Fault
from engine.faults.matmul import FAULTS
from tests.engine.models import Array, graph_model, scalar_or_row

COLUMNS = 5
SIGNED = np.random.default_rng(3).integers(-128, 128, (7, COLUMNS)).astype(np.int8)
UNSIGNED = SIGNED.view(np.uint8)
VARIED: dict[str, Any] = {"b_scale": np.linspace(0.01, 0.1, COLUMNS)}


def product(
    b: Array, *, a_zero: int = 3, b_scale: Any = 0.01, b_zero: Any = 0
) -> onnx.ModelProto:
    constants: dict[str, Any] = {
        "as": np.float32(0.02),
        "az": np.uint8(a_zero),
        "b": b,
        "bs": scalar_or_row(b_scale, np.float32),
        "bz": scalar_or_row(b_zero, b.dtype),
        "ys": np.float32(0.5),
        "yz": np.uint8(100),
    }
    node = onnx.helper.make_node("QLinearMatMul", ["a", *constants], ["y"], name="m1")
    return graph_model([node], {"a": (np.uint8, [4, 7])}, {"y": np.uint8}, constants, 21)


ROW = np.arange(COLUMNS) * 9 + 100

PAIRS = {
    "F25.matmul": (product(SIGNED, a_zero=77), product(SIGNED, a_zero=0)),
    "F26.matmul": (product(UNSIGNED, b_zero=90), product(UNSIGNED)),
    "F29.matmul": (
        product(UNSIGNED, b_zero=ROW, b_scale=[0.05] * COLUMNS),
        product(UNSIGNED, b_zero=[90] * COLUMNS, b_scale=[0.05] * COLUMNS),
    ),
    "F33.matmul": (product(SIGNED), product(np.abs(SIGNED // 2))),
    "F34.matmul": (product(UNSIGNED, b_zero=128), product(UNSIGNED // 2, b_zero=128)),
    "F50.matmul": (product(SIGNED, **VARIED), product(SIGNED, b_scale=[0.1] * COLUMNS)),
    "F52.matmul": (product(SIGNED, **VARIED), product(SIGNED, b_scale=[0.1] * COLUMNS)),
}


def triggered(model: onnx.ModelProto, fault: Fault) -> bool:
    (step,) = Session(model, faults=[fault.key]).plan().steps
    assert isinstance(step.parameters, fault.record)
    return fault.trigger(step.parameters)


def same(model: onnx.ModelProto, fault: Fault) -> bool:
    a = np.random.default_rng(5).integers(0, 256, (4, 7)).astype(np.uint8)
    correct, faulty = (
        Session(model, faults=faults).run({"a": a})["y"] for faults in ((), (fault.key,))
    )
    return bool((correct == faulty).all())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_under_its_trigger_and_not_outside(fault: Fault) -> None:
    shows, decoy = PAIRS[fault.key]
    assert triggered(shows, fault)
    assert not same(shows, fault)
    assert not triggered(decoy, fault)
    assert same(decoy, fault)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_never_shows_where_its_trigger_is_off(fault: Fault) -> None:
    models = [model for pair in PAIRS.values() for model in pair]
    quiet = [model for model in models if not triggered(model, fault)]
    assert quiet
    assert all(same(model, fault) for model in quiet)
