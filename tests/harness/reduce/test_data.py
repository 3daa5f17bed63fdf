"""Plainer arrays: always cheaper, of the same type, and never a scale that is not positive."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from corpus.case import Array
from harness.reduce.data import simpler
from harness.reduce.problem import magnitude

SHAPES = hnp.array_shapes(max_dims=3, max_side=4)


@given(hnp.arrays(st.sampled_from((np.int8, np.uint8, np.int32, np.bool_)), SHAPES))
def test_plainer_codes(array: Array) -> None:
    for plain in simpler(array):
        assert (plain.dtype, plain.shape) == (array.dtype, array.shape)
        assert magnitude(plain) < magnitude(array)
    if array.any():
        assert not next(simpler(array)).any()


@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(-(2**9), 2**9, width=32)))
def test_plainer_reals(array: Array) -> None:
    for plain in simpler(array):
        assert (plain.dtype, plain.shape) == (array.dtype, array.shape)
        assert magnitude(plain) < magnitude(array)
        if (array > 0).all():
            assert (plain > 0).all()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.float32])
def test_nothing_is_plainer_than_zero(dtype: type) -> None:
    assert not list(simpler(np.zeros((2, 3), dtype)))


def test_the_ends_of_a_type_do_not_overflow() -> None:
    found = [plain.tolist() for plain in simpler(np.array([-128, 127], np.int8))]
    assert found[:4] == [[0, 0], [1, 0], [-1, 1], [1, 1]]
