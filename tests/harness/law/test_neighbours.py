"""Neighbours: always buildable, small, on the wanted side of a law, with data that tell."""

from random import Random

import numpy as np
import pytest

from generators.operators.conv import ConvSpec, build, parameters, problem
from generators.operators.conv.data import b_array
from harness.law.atoms import Atom
from harness.law.conv.moves import AFFECTING, ASPECTS
from harness.law.conv.space import MOST_WORK
from harness.law.neighbours import Neighbourhood, fresh_data
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
SELDOM = {"depthwise", "C == M", "zero points written"}  # take two moves
TAKEN_AWAY = {"doubled", "shared", "missing"}
LAW = (Atom("groups", ">", 1), Atom("M/groups", ">", 8), Atom("M/groups", "!=", 0, 8))


def near(seed: int, start: ConvSpec = STARTS[0]) -> Neighbourhood[ConvSpec]:
    return Neighbourhood(start, Random(seed))


@pytest.mark.parametrize("start", STARTS)
def test_every_neighbour_is_a_valid_small_case(start: ConvSpec) -> None:
    hood = near(1, start)
    found = [spec for spec, _ in hood.one_change()]
    found += [hood.many_changes() for _ in range(60)]
    assert len(found) > 100
    for spec in found:
        assert not problem(spec)
        assert np.prod(spec.y_shape) * spec.terms <= MOST_WORK
        assert is_valid(build(spec))


def test_every_word_of_the_vocabulary_varies() -> None:
    hood = near(2)
    rows = [parameters(hood.many_changes()) for _ in range(400)]
    still = {name for name in rows[0] if len({row[name] for row in rows}) == 1}
    assert still == TAKEN_AWAY


def test_what_is_special_about_the_placement_is_only_taken_away() -> None:
    start = ConvSpec(form="QDQ", missing="w", doubled="x", shared="output")
    hood = near(2, start)
    rows = [parameters(hood.many_changes()) for _ in range(200)]
    for name in TAKEN_AWAY:
        assert {row[name] for row in rows} == {getattr(start, name), "none"}


def test_the_aspects_named_for_a_parameter_change_it() -> None:
    hood = near(3)
    assert AFFECTING.keys() <= parameters(STARTS[0]).keys()
    assert {name for names in AFFECTING.values() for name in names} <= ASPECTS.keys()
    for name in sorted(AFFECTING.keys() - TAKEN_AWAY - SELDOM):
        found = hood.outside([_holding(name)])
        assert not _holding(name).holds(parameters(found)), name


def _holding(name: str) -> Atom:
    return Atom(name, "==", parameters(STARTS[0])[name])


def test_a_forgotten_move_is_not_made_again() -> None:
    hood = near(8)
    for spec, forget in hood.one_change():
        if spec.w_dtype == "uint8" or spec.form == "QDQ":
            forget()
    drawn = [hood.many_changes() for _ in range(200)]
    assert {spec.w_dtype for spec in drawn} == {"int8"}
    assert {spec.form for spec in drawn} == {"QLinearConv"}
    assert {spec.activation for spec in drawn} == {"none"}


def test_inside_and_outside_of_a_law() -> None:
    hood = near(4)
    words = [parameters(hood.inside(LAW)) for _ in range(100)]
    assert all(atom.holds(row) for row in words for atom in LAW)
    assert len({row["M/groups"] for row in words}) > 8
    words = [parameters(hood.outside(LAW)) for _ in range(100)]
    broken = [sum(not atom.holds(row) for atom in LAW) for row in words]
    assert broken.count(1) > 90


def test_few_changes_change_little() -> None:
    hood = near(5)
    start = parameters(STARTS[0])
    rows = [parameters(hood.few_changes(STARTS[0])) for _ in range(100)]
    counts = [sum(row[name] != value for name, value in start.items()) for row in rows]
    assert 1 < np.mean(counts) < 5


@pytest.mark.parametrize("start", STARTS)
def test_fresh_data_differ_and_use_the_range_of_the_output(start: ConvSpec) -> None:
    drawn = list(fresh_data(start, Random(6)))
    kinds = [(spec.x_kind, spec.w_kind) for spec in drawn]
    assert kinds == [
        ("random", "random"),
        ("extremes", "extremes"),
        ("extremes", "all-extremes"),
        ("random", "constant"),
        ("random", "random"),
    ]
    assert len({build(spec).digest for spec in drawn}) == 5
    assert len({spec.y_scale for spec in drawn}) > 1


def test_one_draw_has_exact_ties() -> None:
    spec = ConvSpec(image=(8, 8), x_dtype="int8", w_dtype="int8")
    ties = list(fresh_data(spec, Random(3)))[-2]
    x = build(ties).inputs["x"].astype(np.float64)
    assert (x / ties.y_scale % 1 == 0.5).mean() > 0.1


def test_most_fresh_outputs_are_not_saturated() -> None:
    hood, rng = near(7), Random(7)
    shares = []
    for _ in range(40):
        spec = next(fresh_data(hood.many_changes(), rng))
        if spec.activation == "none" and b_array(spec) is None and spec.missing == "none":
            case = build(spec)
            codes = next(iter(Oracle(case.proto()).allowed(case.inputs).values())).centre
            ends = np.isin(codes, (np.iinfo(spec.y_codes).min, np.iinfo(spec.y_codes).max))
            shares.append(ends.mean())
    assert len(shares) > 10
    assert np.mean(shares) < 0.4
