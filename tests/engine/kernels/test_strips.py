"""R53, R64, R65: every kernel, in one piece or in strips of any size, gives the same codes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import PROFILES, Session
from engine.kernels import stages, strips
from engine.kernels.geometry import Window
from generators.choices import HypothesisChoices, RandomChoices
from generators.operators.conv import ConvSpec, build, conv_specs, problem

WAYS: tuple[Any, ...] = ("on", ["R53"], ["R64"])


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row and one group at a time."""
    monkeypatch.setattr(strips, "BYTES", 1)
    monkeypatch.setattr(stages, "COLUMNS", 1)


def specs(count: int) -> list[ConvSpec]:
    drawn = (conv_specs(RandomChoices(seed), "any") for seed in range(count))
    return [each for each in drawn if not problem(each)]


@pytest.mark.parametrize("profile", PROFILES)
def test_strips_give_the_codes_of_the_whole(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [build(spec) for spec in specs(60)]
    whole = [Session(each.model, profile=profile).run(each.inputs) for each in cases]
    monkeypatch.setattr(strips, "BYTES", 1)
    monkeypatch.setattr(stages, "COLUMNS", 1)
    for case, expected in zip(cases, whole, strict=True):
        for how in WAYS:
            found = Session(case.model, profile=profile, fusion=how).run(case.inputs)
            for name, codes in expected.items():
                assert found[name].dtype == codes.dtype
                assert np.array_equal(found[name], codes, equal_nan=True), case.origin


@pytest.mark.usefixtures("tiny")
def test_r53_off_takes_the_plain_kernel() -> None:
    spec = ConvSpec(
        in_per_group=8, out_per_group=8, image=(5, 5), x_zero_point=7, x_kind="random"
    )
    case = build(spec)
    kinds = [Session(case.model, fusion=how).plan().steps[0].kind for how in WAYS]
    assert kinds == ["QConvBlocked", "QConv", "QConv"]


@given(
    height=st.integers(1, 12),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    pads=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    data=st.data(),
)
@settings(max_examples=300, deadline=None)
def test_a_strip_reads_the_rows_of_its_windows(
    height: int,
    kernel: int,
    stride: int,
    dilation: int,
    pads: tuple[int, int],
    data: st.DataObject,
) -> None:
    extent = dilation * (kernel - 1) + 1
    rows = (height + sum(pads) - extent) // stride + 1
    if rows < 1:
        return
    first = data.draw(st.integers(0, rows - 1))
    last = data.draw(st.integers(first + 1, rows))
    window = Window(
        (kernel, 1), (stride, 1), (dilation, 1), (pads[0], 0, pads[1], 0), "NOTSET"
    )
    begin, end, around = strips.strip_of(window, height, window.pads, first, last)
    whole = [-1] * pads[0] + list(range(height)) + [-1] * pads[1]
    read = [-1] * around[0] + list(range(begin, end)) + [-1] * around[2]
    top = first * stride
    assert read == whole[top : top + (last - 1 - first) * stride + extent]


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_convolution_may_be_cut(data: st.DataObject) -> None:
    case = build(conv_specs(HypothesisChoices(data.draw), "any"))
    expected = Session(case.model).run(case.inputs)
    size, columns = strips.BYTES, stages.COLUMNS
    strips.BYTES = stages.COLUMNS = 64
    try:
        found = Session(case.model).run(case.inputs)
    finally:
        strips.BYTES, stages.COLUMNS = size, columns
    for name, codes in expected.items():
        assert np.array_equal(found[name], codes, equal_nan=True)
