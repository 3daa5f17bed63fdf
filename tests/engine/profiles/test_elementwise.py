"""What sets the engines apart, on ties written down by hand; the rest is in tests.emulation."""

from typing import Any

import numpy as np
import pytest

from engine import Session
from engine.arithmetic import RANGES
from engine.profiles import PROFILES
from engine.profiles.elementwise_exact import Operand, Operands, exact_quotient, exact_sum
from engine.profiles.tables import (
    exact_softmax,
    float32_sigmoid,
    mlas_sigmoid,
    onnxruntime_softmax,
    opencv_hard_swish,
    torch_hard_swish,
)
from tests.emulation.elementwise import affine, contrib
from tests.engine.models import Array

F32 = np.float32
NAMES = ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]
PAST = -(-70 // 64) * 64 - 70  # how much the last block of 70 lacks


def run(profile: str, op: str, a: Array, b: Array, y_zero: int, *scales: float) -> list[int]:
    constants: dict[str, Any] = {}
    for name, scale, zero in zip("aby", scales, (0, 0, y_zero), strict=True):
        constants |= affine(name, scale, zero, a.dtype)
    model = contrib(op, NAMES, {"a": a, "b": b}, constants)
    found: list[int] = Session(model, profile=profile).run({"a": a, "b": b})["y"].tolist()
    return found


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("spec", [3, 5, 5]),  # rne(0.5), rne(1.5), rne(2.5), then + 3
        ("ort", [4, 4, 6]),  # rne(3.5), rne(4.5), rne(5.5): the zero point is inside
        ("opencv", [4, 4, 6]),
        ("fbgemm", [4, 4, 6]),  # fewer than 64 elements: one by one, inside
        ("qnnpack", [4, 5, 6]),  # half away from zero, then + 3
        ("onednn", [4, 4, 6]),
    ],
)
def test_ties_of_a_sum(profile: str, expected: list[int]) -> None:
    a, b = np.array([1, 3, 5], np.uint8), np.zeros(3, np.uint8)
    assert run(profile, "QLinearAdd", a, b, 3, 0.5, 0.5, 1.0) == expected


def test_torch_adds_the_zero_point_outside_in_whole_blocks_only() -> None:
    a, b = np.full(70, 1, np.uint8), np.zeros(70, np.uint8)
    assert run("fbgemm", "QLinearAdd", a, b, 3, 0.5, 0.5, 1.0) == [3] * 64 + [4] * 6
    assert PAST == 58


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("spec", [3, 5, 5]),
        ("ort", [4, 4, 6]),
        ("opencv", [4, 4, 6]),
        ("fbgemm", [3, 5, 5]),  # every element alike, outside
        ("qnnpack", [3, 5, 5]),
        ("onednn", [3, 5, 5]),
    ],
)
def test_ties_of_a_product(profile: str, expected: list[int]) -> None:
    a, b = np.array([1, 3, 5], np.uint8), np.ones(3, np.uint8)
    assert run(profile, "QLinearMul", a, b, 3, 0.5, 1.0, 1.0) == expected


def test_a_constant_operand_of_onnxruntime_is_added_first() -> None:
    """Both orders in float32: they differ where the running sum loses a bit."""
    a, one = np.arange(256, dtype=np.uint8), np.array([255], np.uint8)
    scales = (0.1, 0.3, 0.0078125)
    alone = run("ort", "QLinearAdd", a, one, 7, *scales)
    spread = run("ort", "QLinearAdd", a, np.full(256, 255, np.uint8), 7, *scales)
    assert np.abs(np.array(alone) - np.array(spread)).max() <= 1


def test_qnnpack_has_no_signed_kernel() -> None:
    a, b = np.array([1, 3, 5], np.int8), np.zeros(3, np.int8)
    assert run("qnnpack", "QLinearAdd", a, b, 3, 0.5, 0.5, 1.0) == [4, 4, 6]


def test_every_profile_saturates() -> None:
    a = np.full(70, 255, np.uint8)
    for profile in PROFILES:
        for op in ("QLinearAdd", "QLinearMul"):
            assert set(run(profile, op, a, a, 3, 1.0, 1.0, 0.5)) == {255}
    assert RANGES[a.dtype] == (0, 255)


def test_exact_sums_survive_cancellation() -> None:
    """1 + 2**-80 - 1 is not 0: a sum in float64 would lose it, and with it the side of a tie."""
    o = Operands(
        (Operand(F32(1), 0), Operand(F32(2.0**-80), 0), Operand(F32(1), 0, -1.0)),
        F32(2.0**-79),
        0,
    )
    steps, offset = exact_sum(o)([np.array([7]), np.array([1]), np.array([7])], -1)
    assert (steps.tolist(), offset) == ([0.5], 0)
    o = Operands((Operand(F32(1), 0), Operand(F32(2.0**-80), 0)), F32(2), 0)
    steps, _ = exact_sum(o)([np.array([1, 1, 3]), np.array([1, 0, -1])], -1)
    assert (steps > 0.5).tolist() == [True, False, True]
    assert steps[2] < 1.5


def test_exact_quotients() -> None:
    o = Operands((Operand(F32(0.1), 0), Operand(F32(0.3), 0)), F32(0.5), 0)
    with np.errstate(all="ignore"):
        steps, _ = exact_quotient(o)([np.array([3, 0, 1, -1]), np.array([4, 0, 0, 0])], -1)
    # 0.1f is 0.1 (1 + 1.5e-8), 0.3f is 0.3 (1 + 4e-8): the quotient is just below a half
    assert 0.4999 < steps[0] < 0.5
    assert np.isnan(steps[1])
    assert steps[2:].tolist() == [np.inf, -np.inf]


def test_functions_of_engines_stay_near_the_real_ones() -> None:
    x = np.linspace(-20, 20, 4001, dtype=F32)
    truth = 1 / (1 + np.exp(-x.astype(float)))
    for function in (mlas_sigmoid, float32_sigmoid):
        assert function(x).dtype == F32
        assert np.abs(function(x) - truth).max() < 2.0**-20
    swish = x.astype(float) * np.clip(x.astype(float) / 6 + 0.5, 0, 1)
    for function in (torch_hard_swish, opencv_hard_swish):
        assert np.abs(function(x) - swish).max() < 2.0**-18


def test_softmax_of_onnxruntime_truncates_the_inverse_scale() -> None:
    """``floor(1/0.0099)`` is 101; 333 at 0.003, where the product overflows."""
    rows = np.array([[0.0, 255.0]])
    x_scale, y_scale = F32(0.5), F32(0.003)
    assert exact_softmax(rows, x_scale, y_scale, 3, False)[0, 1] == pytest.approx(
        1 / y_scale, 1e-6
    )
    assert np.rint(onnxruntime_softmax(rows, x_scale, F32(0.0099), 3, False)[0, 1]) == 101
    with np.errstate(over="ignore"):
        assert (
            onnxruntime_softmax(rows, x_scale, y_scale, 3, False)[0, 1] == 0
        )  # e * 333 overflows
