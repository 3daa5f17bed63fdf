"""Neighbours: always buildable, small, on the wanted side of a law, with data that tell."""

from random import Random

import numpy as np
import pytest

from generators.operators.conv import ConvSpec, build, parameters, problem
from generators.operators.conv.data import b_array
from harness.law.atoms import Atom
from harness.law.moves import AFFECTING, ASPECTS
from harness.law.neighbours import (
    MOST_WORK,
    few_changes,
    fresh_data,
    inside,
    many_changes,
    one_change,
    outside,
)
from harness.oracle import Oracle
from harness.reduce.tidy import is_valid

STARTS = (
    ConvSpec(groups=2, out_per_group=9, x_dtype="int8", w_dtype="int8"),
    ConvSpec(form="QDQ", activation="Relu", bias="own-scale", missing="y"),
    ConvSpec(
        image=(4,), kernel=(2,), strides=(1,), dilations=(1,), pads=(0, 1), w_zero_points=(3,)
    ),
    ConvSpec(
        image=(2, 3, 2), kernel=(1,) * 3, strides=(1,) * 3, dilations=(1,) * 3, pads=(0,) * 6
    ),
)
LAW = (Atom("groups", ">", 1), Atom("M/groups", ">", 8), Atom("M/groups", "!=", 0, 8))


@pytest.mark.parametrize("start", STARTS)
def test_every_neighbour_is_a_valid_small_case(start: ConvSpec) -> None:
    rng = Random(1)
    found = [*one_change(start, rng), *(many_changes(start, rng) for _ in range(60))]
    assert len(found) > 100
    for spec in found:
        assert not problem(spec)
        assert np.prod(spec.y_shape) * spec.terms <= MOST_WORK
        assert is_valid(build(spec))


def test_every_word_of_the_vocabulary_varies() -> None:
    rng = Random(2)
    rows = [parameters(many_changes(STARTS[0], rng)) for _ in range(400)]
    still = {name for name in rows[0] if len({row[name] for row in rows}) == 1}
    assert still == {"rank", "doubled", "shared", "missing"}  # signature, not neighbourhood


def test_the_aspects_named_for_a_parameter_change_it() -> None:
    rng = Random(3)
    assert AFFECTING.keys() <= parameters(STARTS[0]).keys()
    assert {name for names in AFFECTING.values() for name in names} <= ASPECTS.keys()
    for name in AFFECTING:
        found = outside(STARTS[0], [_holding(name)], rng)
        assert not _holding(name).holds(parameters(found)), name


def _holding(name: str) -> Atom:
    return Atom(name, "==", parameters(STARTS[0])[name])


def test_inside_and_outside_of_a_law() -> None:
    rng = Random(4)
    words = [parameters(inside(STARTS[0], LAW, rng)) for _ in range(100)]
    assert all(atom.holds(row) for row in words for atom in LAW)
    words = [parameters(outside(STARTS[0], LAW, rng)) for _ in range(100)]
    broken = [sum(not atom.holds(row) for atom in LAW) for row in words]
    assert broken.count(1) > 90


def test_few_changes_change_little() -> None:
    rng = Random(5)
    start = parameters(STARTS[0])
    counts = [
        sum(
            parameters(few_changes(STARTS[0], rng))[name] != value
            for name, value in start.items()
        )
        for _ in range(100)
    ]
    assert 1 < np.mean(counts) < 5


@pytest.mark.parametrize("start", STARTS)
def test_fresh_data_differ_and_use_the_range_of_the_output(start: ConvSpec) -> None:
    drawn = list(fresh_data(start, Random(6)))
    assert [spec.x_kind for spec in drawn] == ["random", "extremes", "random"]
    assert len({build(spec).digest for spec in drawn}) == 3
    assert len({spec.y_scale for spec in drawn}) > 1


def test_most_fresh_outputs_are_not_saturated() -> None:
    rng = Random(7)
    shares = []
    for _ in range(40):
        spec = next(fresh_data(many_changes(STARTS[0], rng), rng))
        if spec.activation == "none" and b_array(spec) is None and spec.missing == "none":
            case = build(spec)
            codes = next(iter(Oracle(case.proto()).allowed(case.inputs).values())).centre
            ends = np.isin(codes, (np.iinfo(spec.y_codes).min, np.iinfo(spec.y_codes).max))
            shares.append(ends.mean())
    assert len(shares) > 10
    assert np.mean(shares) < 0.4
