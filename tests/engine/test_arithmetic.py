from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.arithmetic import (
    INT32_MIN,
    convert_to_int32,
    fused_multiply_add,
    round_half_away,
    round_half_even,
    wrap_int32,
)

HALVES = np.arange(-1001, 1002, 2) / 2


def test_round_half_even_on_every_tie_of_the_code_range() -> None:
    expected = [round(Fraction(value)) for value in HALVES]
    assert round_half_even(HALVES).tolist() == expected


def test_round_half_away_on_every_tie_of_the_code_range() -> None:
    expected = [int(abs(Fraction(v)) + Fraction(1, 2)) * (1 if v > 0 else -1) for v in HALVES]
    assert round_half_away(HALVES).tolist() == expected


@pytest.mark.parametrize("rule", [round_half_even, round_half_away])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_beside_a_tie_goes_to_the_nearer_integer(rule: object, dtype: type) -> None:
    assert callable(rule)
    halves: npt.NDArray[Any] = HALVES.astype(dtype)
    above = np.nextafter(halves, dtype(np.inf))
    below = np.nextafter(halves, dtype(-np.inf))
    assert (rule(above) == np.floor(halves) + 1).all()
    assert (rule(below) == np.floor(halves)).all()


def test_half_away_does_not_round_the_sum_with_a_half() -> None:
    largest_below_half = np.nextafter(np.float64(0.5), 0)
    assert round_half_away(np.array([largest_below_half]))[0] == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.0**31, INT32_MIN),
        (2.0**31 - 1, 2**31 - 1),
        (-(2.0**31), INT32_MIN),
        (-(2.0**40), INT32_MIN),
        (np.inf, INT32_MIN),
        (-np.inf, INT32_MIN),
        (np.nan, INT32_MIN),
        (2.5, 2),
        (-3.5, -4),
    ],
)
def test_convert_to_int32(value: float, expected: int) -> None:
    with np.errstate(invalid="ignore"):
        assert convert_to_int32(np.array([value]))[0] == expected


@given(st.integers(-(2**52), 2**52))
def test_wrap_int32_is_twos_complement(value: int) -> None:
    expected = (value + 2**31) % 2**32 - 2**31
    assert wrap_int32(np.array([value]))[0] == expected
    assert wrap_int32(np.array([float(value)]))[0] == expected


def nearest_float32(exact: Fraction) -> np.float32:
    """The float32 nearest to a rational, ties to the even mantissa, by comparing neighbours."""
    guess = np.float32(float(exact))
    around = [
        np.nextafter(guess, np.float32(-np.inf)),
        guess,
        np.nextafter(guess, np.float32(np.inf)),
    ]
    return min(
        around,
        key=lambda each: (abs(Fraction(float(each)) - exact), int(each.view(np.int32)) & 1),
    )


floats = st.floats(2.0**-40, 2.0**40, width=32) | st.floats(-(2.0**40), -(2.0**-40), width=32)


@given(floats, floats, floats)
def test_fused_multiply_add_rounds_once(a: float, b: float, c: float) -> None:
    arrays = [np.array([each], np.float32) for each in (a, b, c)]
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    assert fused_multiply_add(*arrays)[0] == nearest_float32(exact)


def test_fused_multiply_add_where_two_roundings_differ() -> None:
    a = np.array([1 + 2.0**-12], np.float32)
    c = np.array([2.0**-40], np.float32)
    exact = Fraction(float(a[0])) ** 2 + Fraction(float(c[0]))
    assert fused_multiply_add(a, a, c)[0] == nearest_float32(exact)
    tie = np.array([1 + 2.0**-23], np.float32)
    half = np.array([2.0**-1], np.float32)
    tiny = np.array([-(2.0**-60)], np.float32)
    exact = Fraction(float(tie[0])) * Fraction(1, 2) + Fraction(float(tiny[0]))
    assert fused_multiply_add(tie, half, tiny)[0] == nearest_float32(exact)
