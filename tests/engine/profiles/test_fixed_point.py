"""Fixed-point requantization against its definition in unbounded integers, and its known shares."""

from fractions import Fraction

import numpy as np
import pytest

from engine.profiles.fixed_point import (
    divide_by_power_of_two,
    doubling_high_product,
    multiply_by_quantized_multiplier,
    multiply_in_one_rounding,
    quantize_multiplier,
)

R = np.random.default_rng(0)


def test_a_multiplier_is_31_bits_and_a_shift() -> None:
    for real in (*R.uniform(1e-9, 4, 2000), 0.5, 0.25, 1.0, 1 - 2.0**-40, 2.0**-31, 3.0):
        q, shift = quantize_multiplier(float(real))
        assert 2**30 <= q < 2**31
        exact = Fraction(float(real)) * 2 ** (31 - shift)
        assert abs(exact - q) <= Fraction(1, 2)
    assert quantize_multiplier(0.0) == quantize_multiplier(2.0**-40) == (0, 0)


def test_the_doubling_high_product_rounds_ties_up() -> None:
    a = np.concatenate([R.integers(-(2**31), 2**31, 5000), [-(2**31), 2**31 - 1, 0, 1, -1]])
    for b in (*R.integers(2**30, 2**31, 20).tolist(), 2**30):
        found = doubling_high_product(a, b)
        for each, value in zip(a.tolist(), found.tolist(), strict=True):
            assert value == (each * b + 2**30) // 2**31
    assert doubling_high_product(np.array([-(2**31)]), -(2**31)).item() == 2**31 - 1


@pytest.mark.parametrize("exponent", range(9))
def test_the_division_rounds_ties_away_from_zero(exponent: int) -> None:
    x = np.arange(-1500, 1500)
    for each, value in zip(
        x.tolist(), divide_by_power_of_two(x, exponent).tolist(), strict=True
    ):
        exact = Fraction(each, 2**exponent)
        away = int(abs(exact) + Fraction(1, 2))
        assert value == (away if each >= 0 else -away)


def test_one_rounding_is_the_nearest_ties_up() -> None:
    for real in R.uniform(1e-4, 0.999, 50):
        q, shift = quantize_multiplier(float(real))
        acc = R.integers(-(2**20), 2**20, 200).astype(np.int32)
        exact = [Fraction(int(each)) * q / 2 ** (31 - shift) for each in acc]
        nearest = [(each + Fraction(1, 2)).__floor__() for each in exact]
        assert multiply_in_one_rounding(acc, q, shift).tolist() == nearest


@pytest.mark.parametrize(
    ("low", "share"), [(1 / 4, 0.25), (1 / 8, 0.125), (1 / 32, 0.031), (1 / 2, 0.0)]
)
def test_how_often_two_roundings_differ_from_one(low: float, share: float) -> None:
    differ = total = 0
    for real in R.uniform(low, 2 * low, 60):
        q, shift = quantize_multiplier(float(real))
        acc = R.integers(-(2**24), 2**24, 2000).astype(np.int32)
        two = multiply_by_quantized_multiplier(acc, q, shift)
        one = multiply_in_one_rounding(acc, q, shift)
        differ, total = differ + int((two != one).sum()), total + acc.size
    assert abs(differ / total - share) < 0.02 if share else differ < 0.001 * total
