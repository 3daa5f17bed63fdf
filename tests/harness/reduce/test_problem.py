"""The order on results, the bold search for small numbers, and what a problem asks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.case import Array, Case
from generators.operators.conv import ConvSpec, build
from harness.reduce.problem import OutOfTimeError, Problem, lower, magnitude, size_key
from tests.harness.reduce.models import chain, wrapped


@pytest.mark.parametrize(
    ("plainer", "array"),
    [
        (np.zeros(3, np.int8), np.ones(3, np.int8)),
        (np.ones(3, np.int8), np.array([-128, 0, 0], np.int8)),
        (np.array(0, np.float32), np.array(1, np.float32)),
        (np.array(1, np.float32), np.array(0.5, np.float32)),
        (np.array(0.5, np.float32), np.array(0.1, np.float32)),
        (np.array(2, np.float32), np.array(3, np.float32)),
        (np.array(0.25, np.float32), np.array(1e30, np.float32)),
    ],
)
def test_magnitude_orders_by_what_is_plain(plainer: Array, array: Array) -> None:
    assert magnitude(plainer) < magnitude(array)


def test_magnitude_of_special_values_is_finite() -> None:
    assert magnitude(np.array([np.inf, np.nan, 0, 5e-324])) > 0
    assert magnitude(np.array([True, False])) == 1
    assert magnitude(np.array(["a", "b"], object)) == 2


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        (chain(["Relu"]), chain(["Relu", "Relu"])),
        (wrapped(2, 16), wrapped(2, 24)),
        (build(ConvSpec(image=(1, 2))), build(ConvSpec(image=(2, 2)))),
        (build(ConvSpec(x_zero_point=1)), build(ConvSpec(x_zero_point=200))),
        (build(ConvSpec(x_scale=1.0)), build(ConvSpec(x_scale=0.1))),
        (build(ConvSpec(x_seed=0)), build(ConvSpec(x_seed=9))),
        (build(ConvSpec(opset=13)), build(ConvSpec(opset=17))),
    ],
)
def test_size_key(smaller: Case, larger: Case) -> None:
    assert size_key(smaller) < size_key(larger)


@given(st.integers(1, 200), st.integers(1, 200))
def test_lower_finds_the_least_accepted_number_of_a_monotone_predicate(
    start: int, least: int
) -> None:
    asked: list[int] = []

    def accepts(size: int) -> bool:
        asked.append(size)
        return size >= least

    assert lower(max(start, least), 1, accepts) == least
    assert len(asked) <= 10


@given(st.integers(1, 60), st.sets(st.integers(1, 60)))
def test_lower_returns_what_was_accepted_and_whose_neighbour_was_not(
    start: int, good: set[int]
) -> None:
    found = lower(start, 1, good.__contains__)
    assert found == start or found in good
    assert found == 1 or found - 1 not in good


def test_a_larger_or_invalid_candidate_is_not_asked_about() -> None:
    problem = Problem(build(ConvSpec()), lambda _: pytest.fail("asked"))
    assert not problem.offer(build(ConvSpec(image=(2, 2))))
    broken = chain(["Neg"]).proto()
    broken.graph.node[0].op_type = "Add"
    problem = Problem(chain(["Neg", "Neg"]), lambda _: pytest.fail("asked"))
    assert not problem.offer(chain(["Neg"]).with_model(broken))
    assert problem.checks == 0


def test_a_rejected_candidate_is_asked_about_once() -> None:
    problem = Problem(chain(["Neg", "Abs"]), lambda _: False)
    for _ in range(3):
        assert not problem.offer(chain(["Neg"]))
    assert problem.checks == 1


def test_nothing_is_asked_after_the_deadline() -> None:
    problem = Problem(chain(["Neg", "Abs"]), lambda _: True, deadline=0)
    with pytest.raises(OutOfTimeError):
        problem.offer(chain(["Neg"]))
