"""Means of codes: the exact profile against rationals, the others against their formulas."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies

from engine.profiles.pooling import (
    Averaging,
    aten,
    dequantized,
    exact_mean,
    onnxruntime_plane,
    onnxruntime_window,
    opencv_mean,
    qnnpack_mean,
)
from tests.engine.models import Array

F32 = np.float32


def averaging(
    xs: float, ys: float, *, xz: int = 3, yz: int = 7, dtype: Any = np.uint8
) -> Averaging:
    return Averaging(F32(xs), xz, np.dtype(dtype), F32(ys), yz)


def rationally(acc: Array, divisor: Array, r: Averaging) -> list[int]:
    """``rne(A * xs / (n * ys))`` in rationals."""
    xs, ys = Fraction(float(r.x_scale)), Fraction(float(r.y_scale))
    pairs = zip(acc.tolist(), divisor.tolist(), strict=True)
    return [round(a * xs / (n * ys)) for a, n in pairs]


def st_scales() -> strategies.SearchStrategy[np.float32]:
    """Full mantissas and short ones, within a factor of 2**20."""
    mantissas = strategies.integers(2**23, 2**24 - 1) | strategies.sampled_from(
        [2**23, 2**23 + 1, 2**24 - 1, 3 * 2**22]
    )
    return strategies.builds(
        lambda m, e: F32(m * 2.0 ** (e - 24)), mantissas, strategies.integers(-10, 10)
    )


def check(acc: Array, divisor: Array, r: Averaging) -> None:
    rounded = np.rint(exact_mean(r).steps(acc, divisor))
    expected = np.array(rationally(acc, divisor, r), np.float64)
    inside = np.abs(expected) <= 512
    assert (rounded[inside] == expected[inside]).all()
    assert (np.abs(rounded[~inside]) >= 512).all()


@given(
    strategies.integers(1, 400),
    strategies.integers(0, 2**32),
    strategies.sampled_from(["same", "halves", "ulp", "random"]),
)
def test_the_exact_mean_rounds_once(n: int, seed: int, kind: str) -> None:
    g = np.random.default_rng(seed)
    xs = F32(np.exp(g.uniform(-8, 3)))
    ys = {
        "same": xs,
        "halves": F32(xs * F32(2.0 ** g.integers(-3, 4))),
        "ulp": np.nextafter(xs, F32(g.choice([0, 9]))),
        "random": F32(xs * np.exp(g.uniform(-2, 2))),
    }[kind]
    r = averaging(float(xs), float(ys))
    acc = g.integers(-255 * n, 255 * n + 1, 300)
    check(acc, np.full(300, n), r)
    halves = (np.floor(g.uniform(-200, 200, 300)) + 0.5) * n * float(ys) / float(xs)
    check(np.rint(halves).astype(np.int64), g.integers(1, n + 1, 300), r)
    check(np.rint(halves).astype(np.int64), np.full(300, n), r)


@given(
    st_scales(), st_scales(), strategies.integers(1, 2**18 - 1), strategies.integers(-200, 200)
)
def test_small_sums_next_to_ties_need_no_second_look(
    xs: np.float32, ys: np.float32, n: int, k: int
) -> None:
    """The sums nearest to (k + 1/2) * n * ys / xs, from both sides."""
    r = averaging(float(xs), float(ys))
    tie = (k + Fraction(1, 2)) * n * Fraction(float(ys)) / Fraction(float(xs))
    near = [round(tie) + d for d in (-1, 0, 1)]
    acc = np.array([each for each in near if abs(each) < 2**16], np.int32)
    check(acc, np.full(len(acc), n), r)


def test_ties_go_to_even_codes_with_the_zero_point_outside() -> None:
    r = averaging(0.25, 0.25)
    steps = exact_mean(r).steps(np.array([1, 3, 5, -1, -3]), np.array(2))
    assert np.rint(steps).tolist() == [0, 2, 2, 0, -2]
    assert exact_mean(r).offset == 7


def test_enormous_windows_are_compared_as_rationals() -> None:
    r = averaging(1.0, float(np.nextafter(F32(1), F32(2))))
    n = 2**31 - 2
    acc = np.array([n // 2, n // 2 * 3, 40 * n + n // 2])
    check(acc, np.full(3, n), r)
    check(acc, np.full(3, n), averaging(1.0, 1.0))


def test_nothing_over_nothing_is_nan() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(exact_mean(averaging(1, 1)).steps(np.array([0]), np.array([0]))).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_every_code_dequantized(dtype: Any) -> None:
    info = np.iinfo(dtype)
    reals = dequantized(averaging(0.1, 1, xz=-5 if info.min else 5, dtype=dtype))
    zero = -5 if info.min else 5
    expected = [F32(q - zero) * F32(0.1) for q in range(info.min, info.max + 1)]
    assert reals.dtype == np.float32
    assert reals.tolist() == [float(each) for each in expected]


def test_where_each_engine_adds_the_zero_point() -> None:
    """1/2 with an odd zero point: inside the rounding to an even sum, outside to an even step."""
    r = averaging(0.5, 0.5)
    half, n = np.array([1]), np.array([2])
    for prepare, expected in (
        (exact_mean, 7),
        (onnxruntime_plane, 7),
        (qnnpack_mean, 7),
        (aten, 8),
    ):
        averager = prepare(r)
        assert np.rint(averager.steps(half, n)) + averager.offset == expected, prepare
    for prepare in (onnxruntime_window, opencv_mean):
        averager = prepare(r)
        assert np.rint(averager.steps(np.array([0.5], F32), n)) + averager.offset == 8, prepare
        assert averager.reals is not None
    signed = averaging(0.5, 0.5, dtype=np.int8)
    assert qnnpack_mean(signed).offset == 0
