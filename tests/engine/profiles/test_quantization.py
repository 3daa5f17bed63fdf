"""Where engines differ in QuantizeLinear, value by value, as measured on them."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels.number_types import E4M3FN, E5M2
from engine.kernels.quantize_granularity import Granularity
from engine.profiles.quantization import (
    EVERYWHERE,
    NOWHERE,
    clip_the_reciprocal,
    convert_then_add,
    divide,
    float8_of_onnxruntime,
    multiply_by_reciprocal,
    requantize_exactly,
    requantize_in_float,
    scalars_of_onnxruntime,
    torch_quantize,
    vectors_of_opencv,
)

F32 = np.float32
INT4, INT2 = np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.int2)
FLOATS = st.floats(-1e6, 1e6, width=32)
SCALES = st.floats(2.0**-10, 2.0**20, width=32)


def row(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(values, F32)


def test_where_the_zero_point_is_added_decides_ties() -> None:
    x, one, z = row(0.5, 1.5, 2.5), np.array(1, F32), np.array(1, F32)
    assert divide(x, one, z).tolist() == [1, 3, 3]
    for inside in (multiply_by_reciprocal, clip_the_reciprocal, torch_quantize):
        assert inside(x, one, z).tolist() == [2, 2, 4]


@given(FLOATS, SCALES, st.integers(-128, 127))
def test_torch_rounds_once_per_tensor_and_three_times_per_channel(
    x: float, scale: float, z: int
) -> None:
    inverse = F32(1) / F32(scale)
    exact = Fraction(x) * Fraction(float(inverse)) + z
    once = Fraction(float(torch_quantize(row(x), np.array(scale, F32), np.array(z, F32))[0]))
    assert abs(once - exact) <= Fraction(1, 2) + abs(exact) / 2**24
    per_channel = torch_quantize(row(x, x), row(scale, scale), row(z, z))
    assert (per_channel == np.rint(F32(F32(x) * inverse) + F32(z))).all()


def test_not_a_number_and_beyond_int32() -> None:
    x, one, z = row(np.nan, np.inf, -np.inf, 3e38, -3e38), np.array(1, F32), np.array(2, F32)
    with np.errstate(all="ignore"):
        assert (multiply_by_reciprocal(x, one, z) == -(2.0**31)).all()
        torch = torch_quantize(x, one, z)
        assert torch.tolist() == [
            2147483520,
            2147483520,
            -np.inf,
            2147483520,
            float(F32(-3e38)),
        ]
        assert torch_quantize(x, row(*[1] * 5), z).tolist()[0] == 0
        assert (convert_then_add(x, one, z) == 2 - 2.0**31).all()
        wrapped = convert_then_add(x, one, np.array(-2, F32))
    assert (wrapped == 2.0**31 - 2).all()


def test_float8_of_onnxruntime_has_a_hole() -> None:
    x = row(464, 470, 480, -495.9, 496, 1e9)
    free = float8_of_onnxruntime(x, E4M3FN, False).astype(F32)
    np.testing.assert_array_equal(free, [448, np.nan, 448, -448, np.nan, np.nan])
    assert float8_of_onnxruntime(x, E4M3FN, True).astype(F32).tolist()[:3] == [448, 448, 448]
    assert float8_of_onnxruntime(x, E5M2, False).astype(F32)[-1] == np.inf


@pytest.mark.parametrize(
    ("codes", "shape", "scale", "block", "expected"),
    [
        (np.dtype(np.int8), (4, 5), (), 0, NOWHERE),
        (np.dtype(np.int8), (4, 5), (4, 3), 2, NOWHERE),
        (np.dtype(np.int8), (4, 5, 6), (4, 3, 6), 2, EVERYWHERE),
        (INT2, (4, 5), (), 0, EVERYWHERE),
        (INT4, (4, 5), (), 0, []),
        (INT4, (3, 5), (), 0, [14]),
        (INT4, (2, 5), (2, 2), 3, [2, 3, 4, 5]),
    ],
)
def test_which_elements_onnxruntime_treats_alone(
    codes: np.dtype[np.generic],
    shape: tuple[int, ...],
    scale: tuple[int, ...],
    block: int,
    expected: slice | list[int],
) -> None:
    found = scalars_of_onnxruntime(
        codes, np.dtype(F32), np.ones(scale, F32), shape, Granularity("n", 1, block)
    )
    if isinstance(found, slice):
        assert found == expected
    else:
        assert sorted(found.tolist()) == expected


def test_opencv_has_another_loop_for_uint8_but_for_the_last_elements() -> None:
    given_ = Granularity("n", 1, 0)
    kind, one = np.dtype(np.uint8), np.ones((), F32)
    assert vectors_of_opencv(kind, np.dtype(F32), one, (3, 7), given_) == slice(16)
    assert vectors_of_opencv(np.dtype(np.int8), np.dtype(F32), one, (3, 7), given_) is NOWHERE
    assert vectors_of_opencv(kind, np.dtype(F32), np.ones(7, F32), (3, 7), given_) is NOWHERE
    assert vectors_of_opencv(kind, np.dtype(F32), one, (), given_) is NOWHERE


@given(st.integers(-255, 255), SCALES, SCALES, st.integers(0, 255))
def test_requantizing_rounds_the_rational_once(q: int, s: float, t: float, z: int) -> None:
    steps = np.array([q])
    exact = requantize_exactly(steps, F32(s), F32(t), z, divide)
    assert exact[0] == round(Fraction(q) * Fraction(s) / Fraction(t)) + z
    through = requantize_in_float(steps, F32(s), F32(t), z, divide)
    assert through[0] == np.rint(F32(q) * F32(s) / F32(t)) + z
