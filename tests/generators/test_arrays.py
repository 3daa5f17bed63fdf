from itertools import product

import numpy as np
import pytest

from generators import arrays
from generators.arrays import KINDS, LOWEST, codes, moments, reals

ENDS = {"uint8": (0, 255), "int8": (-128, 127)}


@pytest.mark.parametrize("dtype", ENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_codes_have_their_type_and_shape_and_depend_on_the_seed_alone(
    kind: str, dtype: str
) -> None:
    for zero_point, seed in product(ENDS[dtype], (0, 1, 77)):
        array = codes(kind, seed, (2, 3, 4), dtype, zero_point)
        assert (array.dtype.name, array.shape) == (dtype, (2, 3, 4))
        assert array.tobytes() == codes(kind, seed, (2, 3, 4), dtype, zero_point).tobytes()
    assert codes(kind, 0, (0, 3), dtype, 0).shape == (0, 3)


def test_codes_are_the_same_on_every_machine() -> None:
    assert codes("random", 7, (4,), "uint8", 0).tolist() == [249, 144, 121, 168]


@pytest.mark.parametrize("dtype", ENDS)
def test_what_the_kinds_hold(dtype: str) -> None:
    low, high = ENDS[dtype]
    shape, middle = (4096,), LOWEST[dtype] + 128
    assert set(codes("random", 1, shape, dtype, 0).tolist()) == set(range(low, high + 1))
    assert set(codes("extremes", 1, shape, dtype, 0).tolist()) == {low, high}
    assert set(codes("all-extremes", 0, shape, dtype, 0).tolist()) == {high}
    assert set(codes("all-extremes", 1, shape, dtype, 0).tolist()) == {low}
    seven_bit = codes("seven-bit", 1, shape, dtype, 0)
    assert (seven_bit.min(), seven_bit.max()) == (middle - 64, middle + 63)
    small = codes("small", 1, shape, dtype, middle)
    assert set(small.tolist()) == set(range(middle - 2, middle + 3))
    coarse = codes("coarse", 1, shape, dtype, low + 5)
    assert set(coarse.tolist()) == set(range(low + 5, high + 1, 16))
    for zero_point in (low, middle, high):
        assert len(set(codes("constant", 3, shape, dtype, zero_point).tolist())) == 1
        assert codes("constant", 0, (1,), dtype, zero_point)[0] != zero_point
        one_hot = codes("one-hot", 5, (3, 5), dtype, zero_point)
        assert np.flatnonzero(one_hot != zero_point).tolist() == [5]
        assert abs(int(one_hot.flat[5]) - zero_point) >= 127


def test_seven_bit_weights_cannot_saturate_a_pair() -> None:
    weights = codes("seven-bit", 1, (4096,), "int8", 0).astype(int)
    assert 2 * 255 * int(np.abs(weights).max()) <= 2**15


@pytest.mark.parametrize("dtype", ENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_moments_are_those_of_the_codes(kind: str, dtype: str) -> None:
    if kind == "one-hot":
        return  # its moments are those of the one element that is not the zero point
    for zero_point in (*ENDS[dtype], LOWEST[dtype] + 128):
        if kind == "small" and zero_point in ENDS[dtype]:
            continue  # cut off at the end of the type
        steps = codes(kind, 3, (60_000,), dtype, zero_point).astype(float) - zero_point
        mean, deviation = moments(kind, 3, dtype, zero_point)
        assert abs(steps.mean() - mean) < 9
        assert abs(steps.std() - deviation) < 2


def test_reals_lie_on_between_or_anywhere_near_codes() -> None:
    q = codes("random", 3, (999,), "uint8", 7)
    on, half, anywhere = (reals(q, 7, 0.25, offset, 3) for offset in arrays.OFFSETS)
    assert on.dtype == half.dtype == anywhere.dtype == np.float32
    np.testing.assert_array_equal(on, (q.astype(np.float32) - 7) / 4)
    assert set(((half - on) / np.float32(0.25)).tolist()) == {0.0, 0.5}
    steps = (anywhere - on) / np.float32(0.25)
    assert steps.min() >= -0.5
    assert steps.max() < 0.5
    assert len(set(steps.tolist())) > 200


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(
        ValueError, match="unknown kind of data 'gauss', expected one of constant"
    ):
        codes("gauss", 0, (1,), "int8", 0)
