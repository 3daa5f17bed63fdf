"""Other data for a case: multiples of reals, other codes of the same type."""

import numpy as np
import pytest

from corpus.case import Array, Case
from harness.other_data import other_inputs


def test_reals_are_multiples_of_the_cases_and_keep_their_type() -> None:
    """What is large becomes infinite, without a word of it."""
    x = np.array([0.5, -1.5, 2e38], np.float32)
    drawn = [each.inputs["x"] for each in other_inputs(Case(b"", {"x": x}))]
    assert {each.dtype for each in drawn} == {x.dtype}
    assert {tuple((each[:2] / x[:2]).tolist()) for each in drawn} == {
        (n, n) for n in (-1, 2, 3, -3, 5, -5, 7, -7)
    }
    assert sum(np.isinf(each[2]) for each in drawn) == len(drawn) - 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16])
def test_codes_are_near_those_of_the_case_in_one_draw_of_two(dtype: type) -> None:
    x: Array = np.full(50, np.iinfo(dtype).max - 3, dtype)
    drawn = [each.inputs["x"] for each in other_inputs(Case(b"", {"x": x}))]
    assert {each.dtype for each in drawn} == {x.dtype}
    near = [bool((np.abs(each.astype(int) - x.astype(int)) <= 9).all()) for each in drawn]
    assert near == [False, True] * (len(drawn) // 2)


def test_in_one_draw_of_four_three_codes_at_most_are_others_beside_them() -> None:
    x: Array = np.zeros((5, 10), np.uint8)
    drawn = [each.inputs["x"] for each in other_inputs(Case(b"", {"x": x}))]
    changed = [int((each != x).sum()) for each in drawn]
    assert all(0 < each <= 3 for each in changed[3::4])
    assert all(each > 25 for n, each in enumerate(changed) if n % 4 != 3)
    assert {each.max() for each in drawn[3::4]} == {1}
