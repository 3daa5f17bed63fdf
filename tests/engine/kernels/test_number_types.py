"""Conversions to types that numpy lacks, against rationals and against the standard's tables."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels.number_types import (
    BFLOAT16,
    E4M3FN,
    E5M2,
    FLOAT8,
    FLOAT_CODES,
    INTEGER_CODES,
    largest,
    round_to,
    round_to_odd,
    saturate_codes,
    to_float8,
    to_power_of_two,
)

INF, NAN = np.inf, np.nan


def positive_numbers(dtype: Any) -> list[Fraction]:
    """Every finite number of a float type of at most 8 bits, from 0 up."""
    bits = {"4": 4, "6": 6}.get(np.dtype(dtype).name[5], 8)
    values = np.arange(2 ** (bits - 1), dtype=np.uint8).view(dtype).astype(np.float64)
    return sorted(Fraction(each) for each in values.tolist() if np.isfinite(each))


@pytest.mark.parametrize("dtype", sorted(FLOAT_CODES, key=str))
def test_every_midpoint_goes_to_the_even_mantissa(dtype: Any) -> None:
    numbers = positive_numbers(dtype)
    for i, (low, high) in enumerate(pairwise(numbers)):
        middle = float((low + high) / 2)
        near = np.array([np.nextafter(middle, -INF), middle, np.nextafter(middle, INF)])
        wanted = [low, low if i % 2 == 0 else high, high]
        got = to_float8(near, np.dtype(dtype), True).astype(np.float64)
        assert [Fraction(each) for each in got.tolist()] == wanted, middle


@given(st.floats(width=64, allow_nan=False, allow_infinity=False))
def test_float64_to_bfloat16_rounds_once(x: float) -> None:
    with np.errstate(over="ignore"):
        got = float(round_to(np.array([x]), BFLOAT16)[0])
    if np.isinf(got):
        assert abs(x) >= largest(BFLOAT16) * (1 + 2.0**-9)
        return
    bits = np.array([got], BFLOAT16).view(np.int16)
    others = [
        (bits + step).astype(np.int16).view(BFLOAT16).astype(float)[0] for step in (-1, 1)
    ]
    distance = abs(Fraction(got) - Fraction(x))
    for each in others:
        if np.isfinite(each):
            beside = abs(Fraction(each) - Fraction(x))
            assert distance < beside or (distance == beside and bits[0] % 2 == 0)


@given(st.floats(width=64, allow_nan=False))
def test_round_to_odd_is_exact_or_odd_and_next_to_it(x: float) -> None:
    with np.errstate(over="ignore"):
        got = round_to_odd(np.array([x]))
    if float(got[0]) != x:
        assert got.view(np.int32)[0] & 1
        with np.errstate(over="ignore"):
            low, high = np.nextafter(got, np.array([[-INF], [INF]], np.float32))
        assert float(low[0]) < x < float(high[0])


@pytest.mark.parametrize("dtype", sorted(FLOAT8, key=str))
def test_the_standards_tables_of_saturation(dtype: Any) -> None:
    top = largest(dtype)
    x = np.array([0.0, -0.0, NAN, INF, -INF, 1e9, -1e9, top], np.float32)
    kept = to_float8(x, dtype, True).astype(np.float32).tolist()
    assert np.isnan(kept[2])
    assert kept[:2] + kept[3:] == [0.0, 0.0, top, -top, top, -top, top]
    given_up = to_float8(x, dtype, False).astype(np.float32)
    if dtype == E5M2:
        assert given_up[3:].tolist() == [INF, -INF, INF, -INF, top]
    else:
        assert np.isnan(given_up[2:7]).all()
        assert given_up[7] == top


@pytest.mark.parametrize(
    ("mode", "saturate", "wanted"),
    [
        ("up", True, [1.0, 2.0, 2.0, 4.0, 2.0**-127, 2.0**127, 2.0**127, NAN, 2.0**-127]),
        ("down", True, [1.0, 1.0, 1.0, 2.0, 2.0**-127, 2.0**127, 2.0**127, NAN, 2.0**-127]),
        ("nearest", True, [1.0, 1.0, 2.0, 4.0, 2.0**-127, 2.0**127, 2.0**127, NAN, 2.0**-127]),
        ("nearest", False, [1.0, 1.0, 2.0, 4.0, NAN, NAN, NAN, NAN, 2.0**-127]),
    ],
)
def test_powers_of_two(mode: str, saturate: bool, wanted: list[float]) -> None:
    x = np.array([1.0, 1.25, 1.5, 3.0, 0.0, 3e38, INF, NAN, 2.0**-127], np.float32)
    got = to_power_of_two(x, saturate, mode).astype(np.float64)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", list(INTEGER_CODES))
def test_saturation_of_every_integer_type(dtype: Any) -> None:
    low, high = INTEGER_CODES[dtype]
    steps = np.array(
        [low - 1, low, 0, high, high + 1, 1e30, -1e30, INF, -INF, NAN], np.float32
    )
    codes = saturate_codes(steps, dtype)
    assert codes.dtype == dtype
    wanted = [low, low, 0, high, high, high, low, high, low, low]
    assert codes.astype(np.int64).tolist() == wanted


def test_float8e4m3fn_saturates_by_value_not_by_bits() -> None:
    x = np.array([464.0, 465.0, 480.0], np.float32)
    assert to_float8(x, E4M3FN, True).astype(np.float32).tolist() == [448, 448, 448]
    free = to_float8(x, E4M3FN, False).astype(np.float32)
    assert free[0] == 448
    assert np.isnan(free[1:]).all()
