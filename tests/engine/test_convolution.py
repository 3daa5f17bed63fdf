"""The integer kernels against a loop over every tap, and against each other."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from engine import EngineError, Session
from engine.kernels.blocked import first_channels
from engine.kernels.geometry import Window
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import (
    largest_sum,
    multiply_exactly,
    pad_with_border,
    store_in_order,
    subtract_zero_points,
)
from tests.engine.cases import Array, draw
from tests.engine.models import qlinear_conv


def sums_by_loop(
    p: ConvParameters, x: Array, pads: tuple[int, ...], out: tuple[int, ...]
) -> Array:
    """``sum (x - zx)(w - zw)`` in Python integers, taps outside the image left out."""
    acc = np.zeros((len(x), p.out_channels, *out), object)
    for n, m, *at in itertools.product(range(len(x)), range(p.out_channels), *map(range, out)):
        first = m // p.out_per_group * p.in_per_group
        zero = int(p.w_zero_points[m if p.w_zero_points.size > 1 else 0])
        for c, *tap in itertools.product(range(p.in_per_group), *map(range, p.kernel)):
            position = [
                a * s + t * d - b
                for a, s, t, d, b in zip(at, p.strides, tap, p.dilations, pads, strict=False)
            ]
            if all(0 <= i < size for i, size in zip(position, x.shape[2:], strict=True)):
                code = int(x[(n, first + c, *position)]) - p.x_zero_point
                acc[(n, m, *at)] += code * (int(p.w[(m, c, *tap)]) - zero)
    return acc


@st.composite
def convolutions(choose: st.DrawFn) -> tuple[Any, Array]:
    """A small QLinearConv of any geometry, and its input."""
    rank, groups = choose(st.integers(1, 3)), choose(st.integers(1, 3))
    kernel, image = choose(st.integers(1, 3)), choose(st.integers(1, 5))
    inner, outer = choose(st.integers(1, 3)), choose(st.integers(1, 4))
    r = np.random.default_rng(choose(st.integers(0, 2**32 - 1)))
    dtype, w_dtype = (choose(st.sampled_from([np.int8, np.uint8])) for _ in range(2))
    codes, weights = np.iinfo(dtype), np.iinfo(w_dtype)
    m = groups * outer
    dilation = choose(st.integers(1, 2))
    extent = dilation * (kernel - 1) + 1
    w = r.integers(weights.min, weights.max + 1, (m, inner, *(kernel,) * rank)).astype(w_dtype)
    x = r.integers(codes.min, codes.max + 1, (2, groups * inner, *(image,) * rank)).astype(
        dtype
    )
    auto_pad = choose(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER"]))
    attributes: dict[str, Any] = {"auto_pad": auto_pad}
    if auto_pad == "NOTSET":
        need = max(0, extent - image)
        attributes["pads"] = [need, *r.integers(need, need + 2, 2 * rank - 1).tolist()]
    model = qlinear_conv(
        w,
        x_dtype=dtype,
        y_dtype=dtype,
        x=(0.1, int(r.integers(codes.min, codes.max + 1))),
        w_scale=r.uniform(0.01, 0.1, m) if choose(st.booleans()) else 0.05,
        w_zero=r.integers(weights.min, weights.max + 1, m if choose(st.booleans()) else 1),
        y=(5.0, int(r.integers(codes.min, codes.max + 1))),
        bias=r.integers(-1000, 1000, m) if choose(st.booleans()) else None,
        image=(image,) * rank,
        groups=groups,
        batch=2,
        strides=[choose(st.integers(1, 3))] * rank,
        dilations=[dilation] * rank,
        **attributes,
    )
    return model, x


def only(session: Session) -> ConvParameters:
    found: ConvParameters = session.plan().steps[0].parameters
    assert found is not None
    return found


@given(convolutions())
def test_sums_equal_the_loop_over_every_tap(case: tuple[Any, Array]) -> None:
    model, x = case
    p = only(Session(model))
    pads, out = p.window.resolve(x.shape[2:], "c")
    padded, zero_point = pad_with_border(x, p, pads, p.x_zero_point)
    acc = multiply_exactly(p, subtract_zero_points(p))(padded, zero_point, pads, out)
    assert acc.dtype == np.int32
    assert (acc.reshape(2, -1, *out) == sums_by_loop(p, x, pads, out)).all()


@given(convolutions())
def test_the_blocked_kernel_equals_the_plain_one_in_one_group(
    case: tuple[Any, Array],
) -> None:
    model, x = case
    assume(only(Session(model)).groups == 1)
    plain = Session(model, fusion=["R64"])
    blocked = Session(model, faults=["F01"])
    assert blocked.plan().steps[0].kind == "QConvBlocked"
    assert (plain.run({"x": x})["y"] == blocked.run({"x": x})["y"]).all()


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("inner", [1, 5, 8, 9, 16])
@pytest.mark.parametrize("outer", [8, 16, 24])
@pytest.mark.parametrize("image", [(7,), (5, 4), (3, 4, 3)])
def test_blocked_equals_plain_with_every_kind_of_lane(
    groups: int, inner: int, outer: int, image: tuple[int, ...]
) -> None:
    r = np.random.default_rng(groups * 100 + inner + outer)
    rank, m = len(image), groups * outer
    model = qlinear_conv(
        r.integers(-128, 128, (m, inner, *(3,) * rank)).astype(np.int8),
        x=(0.02, 77),
        w_scale=r.uniform(0.001, 0.1, m),
        w_zero=r.integers(-128, 128, m),
        y=(4.0, 100),
        bias=r.integers(-3000, 3000, m),
        image=image,
        groups=groups,
        pads=[1, 0] * rank,
    )
    x = r.integers(0, 256, (1, groups * inner, *image)).astype(np.uint8)
    sessions = [Session(model, fusion=["R64"]), Session(model, faults=["F01"])]
    plain, blocked = (each.run({"x": x})["y"] for each in sessions)
    assert [each.plan().steps[0].kind for each in sessions] == ["QConv", "QConvBlocked"]
    assert (plain == blocked).all()
    assert len(np.unique(plain)) > 5


def test_which_kernel_runs() -> None:
    def kind(m: int, c: int, groups: int) -> str:
        w = np.zeros((m, c // groups, 1, 1), np.int8)
        return Session(qlinear_conv(w, groups=groups)).plan().steps[0].kind

    assert kind(8, 8, 1) == kind(12, 9, 1) == kind(16, 16, 2) == "QConvBlocked"
    assert kind(8, 7, 1) == kind(7, 8, 1) == kind(16, 16, 16) == kind(24, 8, 2) == "QConv"


def test_later_tasks_overwrite_the_lanes_of_earlier_ones() -> None:
    """Two groups of 12: tasks at channels 0, 8, 12, 20 write blocks 0, 1, 1, 2."""
    base = [0, 8, 12, 20]
    codes = np.arange(4).repeat(8).reshape(1, 4, 8, 1)
    assert store_in_order(codes, base, 24)[0, :, 0].tolist() == [0] * 8 + [2] * 8 + [3] * 8


def test_first_channels_count_groups_then_blocks() -> None:
    p = only(Session(qlinear_conv(np.zeros((24, 1, 1, 1), np.int8), groups=2)))
    assert first_channels(p) == [0, 8, 12, 20]


def test_against_the_onnx_reference() -> None:
    """Two spatial axes: on others the reference misplaces per-channel parameters.

    Its multiplier is float32, three roundings that move a code's value below 2**8 by less than
    2**-13, and it adds the zero point inside the rounding: only that near to a half may it differ.
    """
    r = np.random.default_rng(5)
    for _ in range(60):
        case = draw(r, ranks=(2,), x_bits=8)
        expected = ReferenceEvaluator(case.model).run(None, {"x": case.x})[0].astype(int)
        actual = Session(case.model).run({"x": case.x})["y"].astype(int)
        where = (actual != expected).nonzero()
        if where[0].size:
            p = only(Session(case.model))
            value = real_steps(p, case.x).reshape(actual.shape)[where]
            assert (np.abs(value - np.floor(value) - 0.5) < 2.0**-13).all()


def real_steps(p: ConvParameters, x: Array) -> Array:
    """``acc * xs*ws / ys`` in float64."""
    pads, out = p.window.resolve(x.shape[2:], "c")
    padded, zero_point = pad_with_border(x, p, pads, p.x_zero_point)
    acc = multiply_exactly(p, subtract_zero_points(p))(padded, zero_point, pads, out)
    bias = np.zeros(p.out_channels) if p.bias is None else p.bias
    scale = p.w_scales.astype(np.float64) * np.float64(p.x_scale) / np.float64(p.y_scale)
    steps: Array = (acc + bias[:, None]) * scale[:, None]
    return steps


def test_a_bias_near_the_end_of_int32_wraps() -> None:
    w = np.full((2, 1, 1, 1), 100, np.int8)
    model = qlinear_conv(
        w, x=(1.0, 0), w_scale=1.0, y=(2.0**24, 128), bias=np.array([2**31 - 1, -(2**31)])
    )
    y = Session(model).run({"x": np.full((1, 1, 8, 8), 1, np.uint8)})["y"]
    wrapped = (2**31 - 1 + 100) - 2**32
    assert y[0, :, 0, 0].tolist() == [
        128 + round(wrapped / 2**24),
        128 + round((100 - 2**31) / 2**24),
    ]


def test_sums_beyond_int32_wrap_in_both_kernels() -> None:
    depth = 70_000
    w = np.full((8, depth, 1, 1), -128, np.int8)
    model = qlinear_conv(w, x=(1.0, 0), w_scale=1.0, y=(2.0**24, 128), image=(1, 1))
    x = np.full((1, depth, 1, 1), 255, np.uint8)
    total = -128 * 255 * depth
    wrapped = (total + 2**31) % 2**32 - 2**31
    assert total < -(2**31)
    expected = 128 + round(wrapped / 2**24)
    for fusion in ("on", "off"):
        assert (Session(model, fusion=fusion).run({"x": x})["y"] == expected).all()


def test_the_bound_on_sums_is_one() -> None:
    r = np.random.default_rng(0)
    for depth in (3, 200, 600):
        w = r.integers(-255, 256, (4, depth)).astype(np.int16)
        assert largest_sum(w) >= 255 * np.abs(w).sum(axis=1).max()


@pytest.mark.parametrize("shape", [(0, 2, 3, 3), (1, 2, 0, 3), (0, 8, 3, 3), (1, 8, 0, 3)])
@pytest.mark.parametrize("m", [8, 12])
def test_empty_batches_and_images(shape: tuple[int, ...], m: int) -> None:
    w = np.ones((m, shape[1], 1, 1), np.int8)
    model = qlinear_conv(w, image=shape[2:], batch=shape[0])
    y = Session(model).run({"x": np.zeros(shape, np.uint8)})["y"]
    assert y.shape == (shape[0], m, *shape[2:])


@pytest.mark.parametrize(
    ("window", "image", "pads", "out"),
    [
        (Window((3, 3), (1, 1), (1, 1), (1, 0, 1, 2), "NOTSET"), (5, 5), (1, 0, 1, 2), (5, 5)),
        (Window((3,), (2,), (1,), (0, 0), "SAME_UPPER"), (6,), (0, 1), (3,)),
        (Window((3,), (2,), (1,), (0, 0), "SAME_LOWER"), (6,), (1, 0), (3,)),
        (Window((3,), (1,), (2,), (0, 0), "SAME_UPPER"), (4,), (2, 2), (4,)),
        (Window((2,), (3,), (1,), (9, 9), "VALID"), (7,), (0, 0), (2,)),
        (Window((1,), (3,), (1,), (0, 0), "SAME_LOWER"), (7,), (0, 0), (3,)),
        (Window((5,), (1,), (1,), (1, 1), "NOTSET"), (3,), (1, 1), (1,)),
    ],
)
def test_geometry(
    window: Window, image: tuple[int, ...], pads: tuple[int, ...], out: tuple[int, ...]
) -> None:
    assert window.resolve(image, "c") == (pads, out)


def test_a_window_that_does_not_fit_is_refused() -> None:
    window = Window((5,), (1,), (2,), (1, 1), "NOTSET")
    with pytest.raises(EngineError, match=r"c: a window of 9 does not fit into 3 \+ 2 pads"):
        window.resolve((3,), "c")


def test_negative_pads_are_refused() -> None:
    w = np.ones((1, 1, 1, 1), np.int8)
    session = Session(qlinear_conv(w, pads=[-1, 0, 0, 0]))
    with pytest.raises(EngineError, match="negative"):
        session.run({"x": np.zeros((1, 1, 8, 8), np.uint8)})


def test_large_layers_use_the_same_sums() -> None:
    """Past 2**24 the sums are float64; both precisions must agree with int64."""
    r = np.random.default_rng(1)
    w = np.full((8, 600, 1, 1), 127, np.int8)
    w[::2] = r.integers(-128, 128, w[::2].shape)
    x = r.integers(0, 256, (1, 600, 3, 3)).astype(np.uint8)
    model = qlinear_conv(w, x=(1.0, 0), w_scale=1.0, y=(2.0**17, 0), image=(3, 3))
    p = only(Session(model))
    acc = np.einsum("mc,nchw->nmhw", w[:, :, 0, 0].astype(np.int64), x.astype(np.int64))
    sums = multiply_exactly(p, subtract_zero_points(p))(
        x.astype(np.int16), 0, (0,) * 4, (3, 3)
    )
    assert math.prod(acc.shape) == sums.size
    assert (sums.reshape(acc.shape) == acc).all()
    expected = np.clip(np.rint(acc / 2**17), 0, 255)
    assert (Session(model).run({"x": x})["y"] == expected).all()
