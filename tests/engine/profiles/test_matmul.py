"""How sums become codes and reals: rounded once in spec, and each engine's own order elsewhere."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import EngineError
from engine.profiles.matmul import exact_reals, opencv_matmul, with_alpha
from engine.profiles.matmul_dynamic import fbgemm_activation, onednn_activation, torch_range
from engine.profiles.requantization import Requantization, onnxruntime

F32 = np.float32
SCALES = st.floats(2.0**-20, 4, width=32)


def nearest(value: Fraction) -> np.float32:
    """The nearest float32, ties to even, among the neighbours of a float64."""
    near = F32(float(value))
    around = (np.nextafter(near, F32(-np.inf)), near, np.nextafter(near, F32(np.inf)))
    return min(around, key=lambda y: (abs(Fraction(float(y)) - value), int(y.view("i4")) & 1))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(-(2**31), 2**31 - 1),
    SCALES,
    SCALES,
    st.sampled_from([1.0, 0.5, 0.3, 1.7]),
    st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)),
)
def test_reals_are_rounded_once(
    acc: int, a: float, b: float, alpha: float, bias: float | None
) -> None:
    given_bias = None if bias is None else np.array([bias], F32)
    y = exact_reals(
        np.array([acc], np.int32), np.array(a, F32), np.array(b, F32), F32(alpha), given_bias
    )
    value = Fraction(acc) * Fraction(a) * Fraction(b) * Fraction(float(F32(alpha)))
    assert y[0] == nearest(value + Fraction(bias or 0))


def test_a_float64_sum_alone_would_round_twice() -> None:
    """2**24 + 1 is a tie of float32 numbers; what decides it is below float64's last bit."""
    acc, one = np.array([2**24 + 1], np.int32), np.array(1, F32)
    tie, above = (np.array([each], F32) for each in (0.0, 2.0**-40))
    assert exact_reals(acc, one, one, F32(1), tie)[0] == 2**24
    assert exact_reals(acc, one, one, F32(1), above)[0] == 2**24 + 2


def requantization(**more: Any) -> Requantization:
    values: dict[str, Any] = {
        "x_scale": F32(0.3),
        "w_scale": np.array(0.1, F32),
        "y_scale": F32(0.7),
        "y_zero_point": 3,
        "bias": None,
        "per_channel": False,
        "groups": 1,
        "in_per_group": 1,
        "out_per_group": 1,
        "y_signed": False,
    }
    return Requantization(**values | more)


def test_alpha_joins_the_first_scale() -> None:
    acc = np.arange(-1000, 1000, dtype=np.int32)
    steps = with_alpha(onnxruntime)(requantization(alpha=0.3)).steps(acc)
    multiplier = F32(F32(0.3) * F32(0.3)) * F32(0.1) / F32(0.7)
    np.testing.assert_array_equal(steps, acc.astype(F32) * multiplier)


@pytest.mark.parametrize("columns", [1, 7, 8, 9, 16, 23])
def test_opencv_rounds_ties_of_the_columns_left_over_away_from_zero(columns: int) -> None:
    halves = requantization(x_scale=F32(0.5), w_scale=np.array(1, F32), y_scale=F32(1))
    acc = np.tile(np.array([[1], [-1], [5], [-5]], np.int32), columns)
    codes = np.rint(opencv_matmul(halves).steps(acc))
    whole = columns // 8 * 8
    even, away = ([0, 0, 2, -2], [1, -1, 3, -3])
    expected = np.array([even] * whole + [away] * (columns - whole)).T
    np.testing.assert_array_equal(codes, expected)


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero"),
    [
        (-1.0, 1.0, 2 / 255, 128),
        (0.0, 2.55, 0.01, 0),
        (-2.55, 0.0, 0.01, 255),
        (0.0, 0.0, 0.1, 0),
        (0.0, 1e-6, float(F32(6.1e-5)), 0),
    ],
)
def test_torch_range(low: float, high: float, scale: float, zero: int) -> None:
    found, zero_point = torch_range(low, high)
    assert F32(found) == F32(scale)
    assert zero_point == zero


@pytest.mark.parametrize("activation", [fbgemm_activation, onednn_activation])
def test_dynamic_codes_hold_the_range(activation: Any) -> None:
    x = np.linspace(-3, 5, 500).astype(F32)
    codes, scale, zero = activation(x)
    assert (codes.dtype, codes.min(), codes.max()) == (np.uint8, 0, 255)
    assert np.abs((codes.astype(float) - int(zero)) * float(scale) - x).max() <= float(scale)
    empty, _, _ = activation(np.zeros((0, 3), F32))
    assert empty.shape == (0, 3)
    with pytest.raises(EngineError, match="must be finite"):
        activation(np.array([np.inf], F32))
