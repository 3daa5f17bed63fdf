"""Means and sums of codes against rationals; what they refuse; what runs each time."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, strategies
from onnx import helper

from engine import PROFILES, Session, load
from engine.errors import EngineError, InvalidModel, Unsupported
from engine.kernels import average_codes, average_rounding, average_stages, pooling
from engine.kernels.average_parameters import AverageParameters
from engine.kernels.operator import Setting
from engine.kernels.pooling import Axis, reduce_taps
from engine.kernels.stages import correct_stages
from tests.engine.kernels.loops import windows_of
from tests.engine.kernels.test_pooling import attributes_of, pools
from tests.engine.models import Array, graph_model


def model_of(
    op: str,
    x: Array,
    *,
    xs: Any = 0.1,
    xz: Any = 5,
    ys: Any = 0.2,
    yz: Any = 9,
    y_dtype: Any = None,
    inputs: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> onnx.ModelProto:
    """One operator of com.microsoft; parameters named in ``inputs`` are graph inputs."""
    y_dtype = y_dtype or x.dtype
    constants = {
        "xs": np.asarray(xs, np.float32),
        "xz": np.asarray(xz, x.dtype),
        "ys": np.asarray(ys, np.float32),
        "yz": np.asarray(yz, y_dtype),
    }
    node = helper.make_node(
        op, ["x", *constants], ["y"], name="p", domain="com.microsoft", **attributes
    )
    moved = {name: constants.pop(name) for name in inputs or ()}
    given = {"x": (x.dtype, None)} | {n: (each.dtype, None) for n, each in moved.items()}
    model = graph_model([node], given, {"y": y_dtype}, constants)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def code_of(
    values: list[Any], n: int, *, xs: Any, xz: int, ys: Any, yz: int, dtype: Any
) -> int:
    """``sat(rne(A * xs / (n * ys)) + yz)`` in rationals."""
    acc = sum(int(each) - xz for each in values)
    real = acc * Fraction(float(np.float32(xs))) / (n * Fraction(float(np.float32(ys))))
    info = np.iinfo(dtype)
    return min(max(round(real) + yz, int(info.min)), int(info.max))


@given(pools(), strategies.booleans(), strategies.sampled_from([np.uint8, np.int8]))
def test_means_of_windows_are_exact(p: dict[str, Any], with_pads: bool, dtype: Any) -> None:
    g = np.random.default_rng(p["seed"])
    info = np.iinfo(dtype)
    x = g.integers(info.min, info.max + 1, (1, 2, *p["image"])).astype(dtype)
    how: dict[str, Any] = {
        "xs": float(g.choice([0.25, 0.1])),
        "ys": float(g.choice([0.25, 0.125, 0.1, 0.07])),
        "xz": int(g.integers(info.min, info.max + 1)),
        "yz": int(g.integers(info.min, info.max + 1)),
    }
    attributes = attributes_of(p) | {"count_include_pad": int(with_pads)}
    y = Session(model_of("QLinearAveragePool", x, **how, **attributes)).run({"x": x})["y"]
    geometry = [p[n] for n in ("kernel", "strides", "dilations", "pads", "ceil")]
    for index in np.ndindex(1, 2):
        _, seen = windows_of(x[index], *geometry)
        expected = [
            code_of(
                each.values, each.padded if with_pads else len(each.values), dtype=dtype, **how
            )
            for each in seen
        ]
        assert y[index].ravel().tolist() == expected


@pytest.mark.parametrize(("axes", "keep"), [((2, 3), 1), ((1,), 0), ((-1, 0), 0), ((), 1)])
def test_means_over_axes_are_exact(axes: tuple[int, ...], keep: int) -> None:
    x = np.random.default_rng(2).integers(-128, 128, (2, 3, 4, 5)).astype(np.int8)
    how: dict[str, Any] = {"xs": 0.5, "xz": -7, "ys": 0.25, "yz": 11}
    named: dict[str, Any] = {"axes": list(axes)} if axes else {}
    model = model_of("QLinearReduceMean", x, **how, **named, keepdims=keep)
    y = Session(model).run({"x": x})["y"]
    where = axes or (0, 1, 2, 3)
    acc = (x.astype(np.int64) + 7).sum(axis=where, keepdims=bool(keep))
    n = x.size // acc.size
    expected = [
        min(max(round(Fraction(2 * a, n)) + 11, -128), 127) for a in acc.ravel().tolist()
    ]
    assert y.shape == acc.shape
    assert y.ravel().tolist() == expected


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_channels_last_is_the_same_transposed(profile: str) -> None:
    x = np.random.default_rng(3).integers(0, 256, (2, 3, 6, 5)).astype(np.uint8)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    window: dict[str, Any] = {"kernel_shape": [2, 3], "pads": [0, 1, 1, 1]}
    for op, how in (("QLinearAveragePool", window), ("QLinearGlobalAveragePool", {})):
        first = Session(model_of(op, x, **how), profile=profile).run({"x": x})["y"]
        model = model_of(op, last, channels_last=1, **how)
        y = Session(model, profile=profile).run({"x": last})["y"]
        assert (y == first.transpose(0, 2, 3, 1)).all()
        assert y.flags.c_contiguous


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_profiles_differ_from_the_exact_mean_by_one_step_at_most(profile: str) -> None:
    x = np.random.default_rng(4).integers(0, 256, (2, 8, 12, 11)).astype(np.uint8)
    for op, how in (
        ("QLinearAveragePool", {"kernel_shape": [3, 3], "strides": [2, 1]}),
        ("QLinearGlobalAveragePool", {}),
        ("QLinearReduceMean", {"axes": [1, 3], "keepdims": 0}),
    ):
        model = model_of(op, x, xs=0.1, ys=0.13, **how)
        exact = Session(model).run({"x": x})["y"].astype(int)
        y = Session(model, profile=profile).run({"x": x})["y"].astype(int)
        assert y.shape == exact.shape
        assert np.abs(y - exact).max() <= 1


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_parts_of_planes_change_nothing(profile: str, chunk: int) -> None:
    x = np.random.default_rng(chunk).integers(0, 256, (2, 3, 12, 11)).astype(np.uint8)
    window: dict[str, Any] = {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1], "strides": [2, 1]}
    axes: dict[str, Any] = {"axes": [1], "keepdims": 0}
    for op, how in (("QLinearAveragePool", window), ("QLinearReduceMean", axes)):
        model = model_of(op, x, **how)
        whole = Session(model, profile=profile).run({"x": x})["y"]
        with pytest.MonkeyPatch.context() as patch:
            for module in (pooling, average_codes, average_rounding):
                patch.setattr(module, "CHUNK", chunk)
            parts = Session(model, profile=profile).run({"x": x})["y"]
        assert (parts == whole).all()


Change = Callable[..., Any]


def largest_instead(x: Array, axes: tuple[Axis, ...], p: AverageParameters) -> Array:
    """F88: the average treated as a maximum."""
    return reduce_taps(x.astype(np.int32), axes, np.maximum, -(2**15))


def pads_as_code_zero(sums: Array, taps: Array, p: AverageParameters) -> Array:
    """F90: pads add code 0, and the zero point is subtracted for every tap."""
    assert p.pool is not None
    return sums.astype(np.int64) - p.pool.taps * p.x.x_zero_point


def truncated(sums: Array, taps: Array, p: AverageParameters) -> Array:
    """F90b: the mean truncated to an integer, then rescaled."""
    acc = average_stages.subtract_zero_points(sums, taps, p).astype(np.int64)
    whole: Array = np.sign(acc) * (np.abs(acc) // taps)
    return whole * taps


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("average.sum", largest_instead),
        ("average.center", pads_as_code_zero),
        ("average.center", truncated),
        ("average.divisor", lambda axes, p: pooling.count_taps(axes, with_pads=True)),  # F89
        ("average.round", lambda steps, zero_point: np.trunc(steps)),
    ],
)
def test_one_replaced_stage_makes_a_fault(stage: str, change: Change) -> None:
    x = np.random.default_rng(5).integers(0, 256, (1, 2, 8, 8)).astype(np.uint8)
    graph = load(model_of("QLinearAveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
    profile = PROFILES["spec"]
    found = []
    for replaced in ({}, {stage: change}):
        setting = Setting(graph, profile, correct_stages(profile), replaced)
        kernel = average_codes.pool_of_codes(graph.nodes[0], setting)
        assert kernel.parameters.pool.window.kernel == (3, 3)
        found.append(kernel.run(x, *([None] * 4)))
    assert (found[0] != found[1]).any()


def test_other_types_of_the_output() -> None:
    x = np.array([[[0, 255, 255, 1]]], np.uint8)
    model = model_of(
        "QLinearGlobalAveragePool", x, xs=1.0, xz=0, ys=1.0, yz=-128, y_dtype=np.int8
    )
    y = Session(model).run({"x": x})["y"]
    assert y.dtype == np.int8
    assert y.tolist() == [[[0]]]  # 127.75 rounds to 128, less 128


def test_zero_points_left_out_are_zero_in_the_type_of_x() -> None:
    x = np.array([[[-128, -127, 4, 5]]], np.int8)
    names = ["x", "xs", "", "ys"]
    node = helper.make_node(
        "QLinearAveragePool",
        names,
        ["y"],
        domain="com.microsoft",
        kernel_shape=[2],
        strides=[2],
    )
    ones = {"xs": np.ones((), np.float32), "ys": np.ones((), np.float32)}
    model = graph_model([node], {"x": (np.int8, [1, 1, 4])}, {"y": np.int8}, ones)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    y = Session(model).run({"x": x})["y"]
    assert y.dtype == np.int8
    assert y.tolist() == [[[-128, 4]]]  # -127.5 and 4.5, both to even


def test_parameters_that_are_inputs_are_read_each_time() -> None:
    x = np.array([[[1, 2, 3, 4]]], np.uint8)
    model = model_of("QLinearGlobalAveragePool", x, xz=0, yz=0, inputs={"xs": 1, "ys": 1})
    session = Session(model)
    for xs, ys, expected in ((1.0, 1.0, 2), (2.0, 1.0, 5), (2.0, 0.5, 10)):
        feeds: dict[str, Any] = {
            "x": x,
            "xs": np.array(xs, np.float32),
            "ys": np.array(ys, np.float32),
        }
        assert session.run(feeds)["y"].tolist() == [[[expected]]]
    with pytest.raises(InvalidModel, match=r"x_scale is 0\.0"):
        session.run(feeds | {"xs": np.zeros((), np.float32)})


def test_the_mean_of_nothing_is_the_lowest_code_and_empty_batches_are_empty() -> None:
    none = np.zeros((2, 3, 0, 4), np.int8)
    for profile in PROFILES:
        y = Session(model_of("QLinearGlobalAveragePool", none), profile=profile)
        assert (y.run({"x": none})["y"] == -128).all()
    empty = np.zeros((0, 3, 4, 4), np.int8)
    pool = Session(model_of("QLinearAveragePool", empty, kernel_shape=[2, 2]))
    assert pool.run({"x": empty})["y"].shape == (0, 3, 3, 3)


def test_sums_beyond_int16_and_float32_stay_exact() -> None:
    x = np.full((1, 1, 5000, 4000), 255, np.uint8)
    x[0, 0, 0, 0] = 254
    model = model_of("QLinearGlobalAveragePool", x, xs=1.0, xz=0, ys=1.0, yz=0)
    assert Session(model).run({"x": x})["y"].item() == 255
    small = x[:, :, :300, :300]
    model = model_of(
        "QLinearAveragePool", small, xs=1.0, xz=0, ys=1.0, yz=0, kernel_shape=[300, 300]
    )
    assert Session(model).run({"x": small})["y"].item() == 255


def test_a_scale_of_y_is_required() -> None:
    model = model_of("QLinearGlobalAveragePool", np.zeros((1, 1, 4), np.uint8))
    del model.graph.node[0].input[3:]
    with pytest.raises(InvalidModel, match="'p' has no y_scale; it is required"):
        Session(model)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"xs": [0.1, 0.2]}, InvalidModel, "x_scale is float32(2,)"),
        ({"ys": np.nan}, InvalidModel, "y_scale is nan"),
        ({"y_dtype": np.int16}, Unsupported, "y_zero_point is int16"),
    ],
)
def test_refusals(how: dict[str, Any], error: type[EngineError], words: str) -> None:
    x = np.zeros((1, 1, 4), np.uint8)
    with pytest.raises(error) as caught:
        Session(model_of("QLinearGlobalAveragePool", x, **how)).run({"x": x})
    assert words in str(caught.value)
    assert "'p'" in str(caught.value)


def test_codes_of_another_type_than_their_zero_point() -> None:
    model = model_of("QLinearGlobalAveragePool", np.zeros((1, 1, 4), np.uint8))
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    with pytest.raises(InvalidModel, match="input codes are int8, its zero point is uint8"):
        Session(model).run({"x": np.zeros((1, 1, 4), np.int8)})
