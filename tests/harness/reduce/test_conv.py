"""Shrinking one convolution: data stay fitted to the parameters, and every parameter shrinks."""

from dataclasses import fields, replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.case import Case
from generators.choices import RandomChoices
from generators.operators.conv import ConvSpec, build, conv_specs, describe, resized
from harness.reduce import reduce
from harness.reduce.conv import cut
from harness.reduce.tidy import is_valid
from tests.harness.reduce.models import asked_only_valid

RICH = ConvSpec(
    form="QDQ",
    batch=2,
    groups=2,
    in_per_group=3,
    out_per_group=4,
    image=(5, 4),
    kernel=(3, 2),
    strides=(2, 1),
    dilations=(1, 2),
    pads=(1, 0, 1, 2),
    x_zero_point=7,
    w_zero_points=tuple(range(8)),
    y_zero_point=3,
    x_scale=0.3,
    w_scales=tuple(0.1 * n for n in range(1, 9)),
    y_scale=5.0,
    bias="int32",
    activation="Relu",
    x_float=True,
    y_float=True,
    opset=21,
    x_kind="random",
    w_kind="random",
)
PLAIN = {each.name: each.default for each in fields(ConvSpec)}


def given_data(spec: ConvSpec) -> ConvSpec:
    described = describe(build(spec))
    assert described is not None
    return described


def test_cut_keeps_the_leading_part_of_everything() -> None:
    spec = given_data(RICH)
    assert spec.x is not None
    assert spec.w is not None
    assert spec.b is not None
    small = cut(spec, groups=2, out_per_group=3, in_per_group=1, image=(2, 3), kernel=(2, 1))
    assert small.x is not None
    assert small.w is not None
    assert small.b is not None
    np.testing.assert_array_equal(small.x, spec.x[:, [0, 3], :2, :3])
    rows = [0, 1, 2, 4, 5, 6]
    np.testing.assert_array_equal(small.w, spec.w[rows, :1, :2, :1])
    np.testing.assert_array_equal(small.b, spec.b[rows])
    assert small.w_zero_points == tuple(rows)
    assert small.w_scales == tuple(spec.w_scales[row] for row in rows)


def test_cut_turns_reals_into_codes() -> None:
    x = np.array([-1, -0.3, 0, 0.25, 0.75, 90], np.float32).reshape(1, 1, 1, 6)
    spec = replace(
        ConvSpec(form="QDQ", x_float=True, image=(1, 6)), x=x, x_scale=0.5, x_zero_point=1
    )
    codes = cut(spec, x_float=False).x
    assert codes is not None
    assert codes.dtype == np.uint8
    assert codes.ravel().tolist() == [0, 0, 1, 1, 3, 181]


def test_cut_without_a_change_is_the_same_object() -> None:
    assert cut(RICH, batch=2) is RICH


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**20), st.integers(0, 2**20))
def test_every_cut_of_every_drawn_case_is_valid(seed: int, choice: int) -> None:
    spec = describe(build(conv_specs(RandomChoices(seed), "any")))
    assert spec is not None
    rng = Random(choice)
    sizes: dict[str, Any] = {
        name: rng.randint(1, getattr(spec, name))
        for name in ("batch", "groups", "in_per_group", "out_per_group")
    }
    sizes["kernel"] = tuple(rng.randint(1, size) for size in spec.kernel)
    small = build(cut(spec, **sizes))
    assert is_valid(small)
    again = describe(small)
    assert again is not None
    assert (again.groups, again.kernel) == (sizes["groups"], sizes["kernel"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch", 2),
        ("groups", 2),
        ("in_per_group", 2),
        ("out_per_group", 3),
        ("image", (3, 1)),
        ("kernel", (1, 2)),
        ("strides", (2, 1)),
        ("dilations", (1, 2)),
        ("pads", (1, 0, 0, 0)),
        ("x_zero_point", 7),
        ("y_zero_point", 3),
        ("bias", "int32"),
        ("activation", "Relu"),
        ("x_float", True),
        ("y_float", True),
        ("opset", 21),
    ],
)
def test_one_parameter_that_matters_stays_and_all_others_become_plain(
    name: str, value: object
) -> None:
    start = given_data(resized(RICH, **{name: value}))

    def fails(case: Case) -> bool:
        spec = describe(case)
        if spec is None or (spec.form, spec.missing) != ("QDQ", "none"):
            return False
        return _at_least(getattr(spec, name), value)

    small = describe(reduce(build(start), asked_only_valid(fails)).case)
    assert small is not None
    free = {"form", "x", "w", "b", "y_dtype", "w_dtype", "x_dtype", name}
    needed_besides = {"image", "pads"} if name in ("kernel", "dilations", "pads") else set()
    for other in PLAIN.keys() - free - needed_besides:
        assert getattr(small, other) == PLAIN[other], other


def _at_least(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, tuple):
        return all(a >= b for a, b in zip(found, wanted, strict=True))
    return bool(found == wanted if isinstance(wanted, str) else found >= wanted)


def test_three_axes_become_two() -> None:
    start = build(
        ConvSpec(
            image=(3, 3, 3),
            kernel=(2, 2, 2),
            strides=(1, 1, 1),
            dilations=(1, 1, 1),
            pads=(0,) * 6,
            in_per_group=2,
        )
    )
    small = describe(reduce(start, lambda case: describe(case) is not None).case)
    assert small is not None
    assert small.image == (1, 1)


def test_per_channel_scales_that_matter_become_powers_of_two() -> None:
    def fails(case: Case) -> bool:
        spec = describe(case)
        return spec is not None and len(set(spec.w_scales)) > 1

    small = describe(reduce(build(RICH), fails).case)
    assert small is not None
    assert small.filters == 2
    assert all(np.frexp(scale)[0] == 0.5 for scale in small.w_scales)


@pytest.mark.parametrize("scale", [-0.25, 0.0, 1e-40])
def test_a_scale_that_is_none_does_not_stop_the_reducer(scale: float) -> None:
    case = build(replace(RICH, x_scale=scale))
    smallest = reduce(case, lambda each: each.inputs.keys() == case.inputs.keys()).case
    assert len(smallest.model) < len(case.model)
