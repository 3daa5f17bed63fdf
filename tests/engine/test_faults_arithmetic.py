"""Faults of a convolution's arithmetic compute what they are named after, by hand and by formula.

That each shows under its trigger only is in ``test_faults``.
"""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from engine import EngineError, Session, load
from engine.faults import (
    accumulator,
    activation,
    bias,
    find,
    output,
    pair_saturation,
    rounding,
    scales,
    weights,
    zero_points,
)
from engine.kernels.parameters import ConvParameters
from generators.graphs import draw_case
from tests.engine.arithmetic_pairs import with_table
from tests.engine.models import Array, graph_model, qdq_conv, qlinear_conv

THEME = (
    *(zero_points, weights, scales, bias, accumulator),
    *(pair_saturation, rounding, output, activation),
)
FAULTS = tuple(fault for module in THEME for fault in module.FAULTS)
FAMILIES = ("conv", "graphs", "elementwise", "matmul")
HALVES: dict[str, Any] = {"x": (1.0, 10), "w_scale": 1.0, "y": (2.0, 100)}
ONE = np.ones((1, 1, 1, 1), np.int8)
R = np.random.default_rng(5)
W = R.integers(-128, 128, (4, 6, 1, 1)).astype(np.int8)
GROUPED = R.integers(-128, 128, (12, 1, 1, 1)).astype(np.int8)
SCALES: Array = np.linspace(0.01, 0.12, 12, dtype=np.float32)


def run(model: onnx.ModelProto, x: Any, *faults: str) -> Array:
    y: Array = Session(model, faults=faults).run({"x": x})["y"]
    return y


def row(*codes: int, dtype: Any = np.uint8) -> Array:
    return np.array(codes, dtype).reshape(1, 1, 1, -1)


def by_hand(model_of: Any, codes: list[int], fault: str, **given: Any) -> list[int]:
    model = model_of(ONE, image=(1, len(codes)), **given)
    x = row(*codes, dtype=given.get("x_dtype", np.uint8))
    found: list[int] = run(model, x, *([fault] if fault else [])).reshape(-1).tolist()
    return found


def parameters(model: onnx.ModelProto) -> ConvParameters:
    found: ConvParameters = Session(model).plan().steps[0].parameters
    return found


@pytest.mark.parametrize(
    ("groups", "bias", "codes"),
    [
        (8, 2**31 - 1, [0] * 8),
        (8, 2**31 - 64, [0] * 8),
        (8, 2**31 - 65, [255] * 8),
        (1, 2**31 - 1, [0] * 8),
        (4, 2**31 - 1, [255] * 8),
    ],
)
def test_a_bias_through_float32_wraps_at_the_end_of_int32(
    groups: int, bias: int, codes: list[int]
) -> None:
    """4 groups of 2 channels fill no block: that kernel is right. Values of OpenCV 5.0.0."""
    w = np.zeros((8, 8 // groups, 1, 1), np.int8)
    model = qlinear_conv(w, groups=groups, bias=np.full(8, bias), image=(1, 1))
    x = np.zeros((1, 8, 1, 1), np.uint8)
    assert run(model, x, "F168").reshape(-1).tolist() == codes
    assert run(model, x).reshape(-1).tolist() == [255] * 8


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("", [98, 100, 100, 102]),
        ("F70", [98, 99, 101, 102]),
        ("F71", [99, 100, 101, 102]),
        ("F72", [99, 100, 100, 101]),
        ("F73a", [98, 99, 100, 101]),
        ("F77", [99, 100, 101, 102]),
        ("F60a", [97, 99, 101, 103]),
        ("F60a.halved", [99, 100, 100, 101]),
        ("F54", [94, 98, 102, 106]),
    ],
)
def test_roundings_and_multipliers_by_hand(fault: str, expected: list[int]) -> None:
    """Sums of -3, -1, 1 and 3 are steps of -1.5, -0.5, 0.5 and 1.5 from the zero point 100."""
    assert by_hand(qlinear_conv, [7, 9, 11, 13], fault, **HALVES) == expected


def test_two_roundings_of_three_eighths() -> None:
    """0.375 = 0.75 / 2: of 1, 0.75 is rounded to 1, then 0.5 to 1."""
    three_eighths = HALVES | {"x": (0.75, 10)}
    assert by_hand(qlinear_conv, [9, 11], "", **three_eighths) == [100, 100]
    assert by_hand(qlinear_conv, [9, 11], "F77", **three_eighths) == [100 - 1, 100 + 1]


def test_multipliers_above_1_become_1() -> None:
    twice = {"x": (2.0, 10), "w_scale": 1.0, "y": (1.0, 100)}
    assert by_hand(qlinear_conv, [9, 15], "", **twice) == [98, 110]
    assert by_hand(qlinear_conv, [9, 15], "F60b", **twice) == [99, 105]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("", [0, 96, 100, 255, 255]),
        ("F38", [246, 96, 100, 0, 84]),
        ("F74", [100, 100, 100, 255, 255]),
    ],
)
def test_what_is_stored_by_hand(fault: str, expected: list[int]) -> None:
    """Steps of -110, -4, 0, 156 and 240 from the zero point 100; modulo 256 where not clipped."""
    model = qlinear_conv(
        ONE * np.int8(2), image=(1, 5), x_dtype=np.int8, x=(1.0, 0), w_scale=1.0, y=(1.0, 100)
    )
    x = row(-55, -2, 0, 78, 120, dtype=np.int8)
    assert run(model, x, *([fault] if fault else [])).reshape(-1).tolist() == expected


def test_large_codes_of_a_grouped_convolution() -> None:
    """OpenVINO 2026.4.1, groups of 2 channels: 32767 is 255, 32768 is 0, the zero point included."""
    given: dict[str, Any] = {"x": (1.0, 0), "w_scale": 1.0, "y": (2.0**-8, 100)}
    model = qlinear_conv(np.ones((2, 1, 1, 1), np.int8), groups=2, image=(1, 5), **given)
    x = np.array([0, 1, 127, 128, 255] * 2, np.uint8).reshape(1, 2, 1, 5)
    assert run(model, x).reshape(2, 5).tolist() == [[100, 255, 255, 255, 255]] * 2
    assert run(model, x, "F169").reshape(2, 5).tolist() == [[100, 255, 255, 0, 0]] * 2


BLOCKS = np.arange(16).astype(np.int8).reshape(16, 1, 1, 1)


@pytest.mark.parametrize(
    ("given", "op", "places"),
    [
        ({}, "Sigmoid", ("c1",)),
        ({"w": BLOCKS, "groups": 16}, "Sigmoid", ("c1",)),
        ({"w": BLOCKS, "groups": 2}, "Sigmoid", ("c1",)),
        ({"w": BLOCKS, "groups": 4}, "Sigmoid", ()),
        ({"w_zero": 1}, "Sigmoid", ()),
        ({"w": BLOCKS.view(np.uint8)}, "Sigmoid", ()),
        ({}, "LeakyRelu", ()),
    ],
)
def test_the_zero_point_of_a_table(
    given: dict[str, Any], op: str, places: tuple[str, ...]
) -> None:
    """OpenCV 5.0.0 takes a Sigmoid along where it computes on integers."""
    model = with_table((0.005, 7), op, **given)
    assert find("F130").places(Session(model).plan())[:1] == places
    shape = tuple(each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim)
    x = R.integers(0, 256, shape).astype(np.uint8)
    assert (run(model, x, "F130") != run(model, x)).any() == bool(places)


def test_codes_in_the_type_of_x() -> None:
    """Codes of int8 clipped to 0..255 and stored in a byte."""
    one = {"x": (1.0, 0), "w_scale": 1.0, "y": (1.0, -60), "y_dtype": np.int8}
    codes = [0, 59, 61, 187, 188, 255]
    assert by_hand(qlinear_conv, codes, "", **one) == [-60, -1, 1, 127, 127, 127]
    assert by_hand(qlinear_conv, codes, "F36", **one) == [0, 0, 1, 127, -128, -61]


@pytest.mark.parametrize("fault", ["F27", "F30", "F31", "F35"])
def test_zero_points_are_the_formulas(fault: str) -> None:
    signed, unsigned = fault in ("F30", "F31"), fault == "F27"
    dtype: Any = np.int8 if signed else np.uint8
    w = W.view(np.uint8) if unsigned else W
    zx, zw = 60, 90 if unsigned else 0
    given: dict[str, Any] = {"x_dtype": dtype, "y_dtype": np.int8, "y": (16.0, 9)}
    model = qlinear_conv(w, w_zero=zw, x=(0.5, zx), w_scale=0.25, image=(1, 40), **given)
    info = np.iinfo(dtype)
    x = R.integers(info.min, info.max + 1, (1, 6, 1, 40)).astype(dtype)
    q, weights = x[0, :, 0].astype(np.int64), w[:, :, 0, 0].astype(np.int64)
    acc = {
        "F27": weights @ q - zx * weights.sum(1)[:, None] - zw * q.sum(0),
        "F30": (weights - zw) @ (q - zx) + 128 * weights.sum(1)[:, None],
        "F31": weights @ ((q - zx + 128) % 256 - 128),
        "F35": weights @ (np.where(q > 127, q - 256, q) - zx),
    }[fault]
    expected = np.clip(np.rint(acc / 128) + 9, -128, 127)
    assert (run(model, x, fault)[0, :, 0] == expected).all()


def test_indices_of_scales_and_biases() -> None:
    """12 filters of 4 groups, 3 for each channel."""
    b = np.arange(12, dtype=np.int32) * 100
    p = parameters(qlinear_conv(GROUPED, groups=4, w_scale=SCALES, bias=b))
    given = SCALES
    index = np.arange(12)
    assert (scales.scale_of_group(p) == given[index // 3]).all()
    assert (scales.scale_modulo_inputs(p) == given[index % 4]).all()
    assert bias.within_group(p).tolist() == (b[index % 3]).tolist()  # type: ignore[union-attr]
    assert bias.of_whole_blocks(p).tolist() == [*b[:8], 0, 0, 0, 0]  # type: ignore[union-attr]
    of_first = np.rint(b * (0.01 / SCALES))
    assert bias.in_steps_of_first(p).tolist() == of_first.tolist()  # type: ignore[union-attr]


def test_a_bias_added_late_is_rounded_by_itself() -> None:
    """3 * 0.25 and 3 * 0.25 are 1 and 1, together 1.5, which is 2; -2 * 0.25 and 0.75 are 0 and 1."""
    quarter = {"x": (0.5, 10), "w_scale": 0.5, "y": (1.0, 100), "bias": np.array([3])}
    assert by_hand(qlinear_conv, [13, 8, 11], "", **quarter) == [102, 100, 101]
    assert by_hand(qlinear_conv, [13, 8, 11], "F61", **quarter) == [102, 101, 101]


@pytest.mark.parametrize(
    ("fault", "low", "high"),
    [("", 100, 112), ("F83", 0, 6), ("F84", 40, 46), ("F86f", 100, 106)],
)
def test_bounds_of_a_clip_by_hand(fault: str, low: int, high: int) -> None:
    """0 to 6 in steps of 0.5 from 100; x has steps of 1 from 40."""
    model = qdq_conv(
        ONE, activation="Clip", image=(1, 256), x=(1.0, 40), y=(0.5, 100), w_scale=1.0
    )
    x = np.arange(256, dtype=np.uint8).reshape(1, 1, 1, -1)
    codes = np.clip((np.arange(256) - 40) * 2 + 100, 0, 255)
    found = run(model, x, *([fault] if fault else [])).reshape(-1)
    assert (found == np.clip(codes, low, high)).all()


@pytest.mark.parametrize(("fault", "low"), [("", 20), ("F80", 0), ("F80b", -30)])
def test_where_a_relu_clamps(fault: str, low: int) -> None:
    given: dict[str, Any] = {"x_dtype": np.int8, "y_dtype": np.int8, "w_scale": 1.0}
    model = qdq_conv(
        ONE, activation="Relu", image=(1, 256), x=(1.0, -30), y=(1.0, 20), **given
    )
    x = np.arange(-128, 128, dtype=np.int8).reshape(1, 1, 1, -1)
    codes = np.clip(np.arange(-128, 128) + 50, -128, 127)
    found = run(model, x, *([fault] if fault else [])).reshape(-1)
    assert (found == np.maximum(codes, low)).all()


@pytest.mark.parametrize(("depth", "sums"), [(1, 1), (2, 1), (32, 1), (40, 2), (65, 3)])
def test_an_int16_that_is_flushed_every_16_pairs(depth: int, sums: int) -> None:
    """Each product is 255 * 127 = 32385; from two on the sum between flushes is 32767."""
    w = np.full((1, depth, 1, 1), 127, np.int8)
    model = qlinear_conv(w, x=(1.0, 0), w_scale=1.0, y=(1024.0, 0), image=(1, 1))
    x = np.full((1, depth, 1, 1), 255, np.uint8)
    total = 32385 if depth % 32 == 1 else 32767
    expected = np.rint(((sums - 1) * 32767 + total) / 1024)
    assert run(model, x, "F79b").item() == expected


def float_bias(values: list[float]) -> onnx.ModelProto:
    """D, Conv with ones and a real bias, Q; the accumulator has steps of 1/8."""
    model = qdq_conv(
        np.ones((len(values), 1, 1, 1), np.int8),
        bias=np.zeros(len(values)),
        x=(0.25, 0),
        w_scale=0.5,
        y=(2.0**22, 128),
        image=(1, 1),
    )
    graph = model.graph
    (of_bias,) = (each for each in graph.node if each.name == "db")
    graph.node.remove(of_bias)
    graph.initializer.append(numpy_helper.from_array(np.array(values, np.float32), "bf"))
    return model


@pytest.mark.parametrize(
    ("fault", "most"), [("F63", 64), ("F63.convert", -64), ("F63.reals", -64)]
)
def test_a_float_bias_beyond_int32(fault: str, most: int) -> None:
    """2**28 is 2**31 steps of 1/8, one more than int32 holds, and 64 steps of y."""
    model = float_bias([2.0**27, 2.0**28, 2.0**30, -(2.0**30), 0.3])
    x = np.zeros((1, 1, 1, 1), np.uint8)
    assert run(model, x).reshape(-1).tolist() == [160, 192, 255, 0, 128]
    expected = [128 + each for each in (32, most, most, -64, 0)]
    assert run(model, x, fault).reshape(-1).tolist() == expected
    assert find(fault).places(Session(model, faults=(fault,)).plan())


@pytest.mark.parametrize(("fault", "code"), [("F63.convert", 192), ("F63.reals", 64)])
def test_a_sum_with_a_bias_of_int32_min_wraps_unless_it_is_real(fault: str, code: int) -> None:
    model = float_bias([2.0**28])
    (weights,) = (each for each in model.graph.initializer if each.name == "w")
    weights.CopyFrom(numpy_helper.from_array(np.full((1, 1, 1, 1), -1, np.int8), "w"))
    x = np.ones((1, 1, 1, 1), np.uint8)
    assert run(model, x, fault).reshape(-1).tolist() == [code]


@pytest.mark.parametrize(("zero", "lost"), [(100, 50), (0, 0)])
def test_the_zero_point_of_a_narrow_bias(zero: int, lost: int) -> None:
    """Codes of 0.5 each, y in steps of 1."""
    model = qdq_conv(
        np.ones((2, 1, 1, 1), np.int8),
        bias=np.zeros(2),
        bias_scale=0.5,
        x=(0.5, 0),
        w_scale=1.0,
        y=(1.0, 120),
        image=(1, 1),
    )
    (codes,) = (each for each in model.graph.initializer if each.name == "b")
    codes.CopyFrom(numpy_helper.from_array(np.array([120, 60], np.uint8), "b"))
    model.graph.initializer.append(numpy_helper.from_array(np.uint8(zero), "bz"))
    (dequantize,) = (each for each in model.graph.node if each.name == "db")
    dequantize.input.append("bz")
    x = np.zeros((1, 1, 1, 1), np.uint8)
    right = np.array([120 + 60, 120 + 30]) - lost
    assert run(model, x).reshape(-1).tolist() == right.tolist()
    assert run(model, x, "F66").reshape(-1).tolist() == (right + lost).tolist()
    places = find("F66").places(Session(model, faults=("F66",)).plan())
    assert bool(places) == bool(lost)


def test_a_float_bias_on_the_grid_of_the_sums_has_no_place() -> None:
    for values, places in (([1.0, -0.125], False), ([1.0, 0.3], True)):
        plan = Session(float_bias(values), faults=("F63",)).plan()
        assert bool(find("F63").places(plan)) == places


def test_scales_of_input_channels_for_output_channels() -> None:
    """w[k, c] * s[k] for w[k, c] * s[c], where both have as many channels."""
    for outs in (6, 4):
        w = R.integers(-128, 128, (outs, 6, 1, 1)).astype(np.int8)
        s = np.linspace(0.02, 0.1, 6, dtype=np.float32)
        model = qdq_conv(w, w_scale=s[:outs], y=(2.0, 100), image=(1, 30))
        (dequantize,) = (each for each in model.graph.node if each.name == "dw")
        del dequantize.attribute[:]
        dequantize.attribute.append(helper.make_attribute("axis", 1))
        for name, array in (("ws", s), ("wz", np.zeros(6, np.int8))):
            (constant,) = (each for each in model.graph.initializer if each.name == name)
            constant.CopyFrom(numpy_helper.from_array(array, name))
        x = R.integers(0, 256, (1, 6, 1, 30)).astype(np.uint8)
        places = find("F58").places(Session(model, faults=("F58",)).plan())
        assert places == (("dx", "dw", "c1", "qy") if outs == 6 else ())
        if outs == 6:
            usual = qlinear_conv(w, w_scale=s, y=(2.0, 100), image=(1, 30))
            assert (run(model, x, "F58") == run(usual, x)).all()
            assert (run(model, x, "F58") != run(model, x)).any()
        else:
            assert (run(model, x, "F58") == run(model, x)).all()


QUANTIZE = {
    "": [98, 100, 100, 102],
    "F70": [98, 99, 101, 102],
    "F71": [99, 100, 101, 102],
    "F72": [99, 100, 100, 101],
    "F73a": [98, 99, 100, 101],
}


@pytest.mark.parametrize(("fault", "expected"), QUANTIZE.items())
def test_quantize_linear_is_a_place_of_roundings(fault: str, expected: list[int]) -> None:
    constants: dict[str, Any] = {"s": np.float32(2), "z": np.uint8(100)}
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], name="q1")
    model = graph_model([node], {"x": (np.float32, [4])}, {"y": np.uint8}, constants)
    x = np.array([-3, -1, 1, 3], np.float32)
    assert run(model, x, *([fault] if fault else [])).tolist() == expected
    if fault:
        assert find(fault).places(Session(model, faults=(fault,)).plan()) == ("q1",)


def test_an_even_zero_point_is_no_place_of_f75_and_floats_of_none() -> None:
    for zero, places in ((np.uint8(3), ("q1",)), (np.uint8(4), ())):
        node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], name="q1")
        constants: dict[str, Any] = {"s": np.float32(2), "z": zero}
        model = graph_model([node], {"x": (np.float32, [4])}, {"y": np.uint8}, constants)
        assert find("F75").places(Session(model, faults=("F75",)).plan()) == places
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"], name="q1")
    model = graph_model([node], {"x": (np.float32, [4])}, {"y": np.uint8}, {}, 17)
    plan = Session(model, faults=("F72",)).plan()
    assert find("F72").places(plan) == ("q1",)
    assert not find("F76").places(plan)


@pytest.mark.parametrize(("zero", "x", "expected"), [(0, -1.5, 0), (4, 1.5, 6), (4, -1.3, 2)])
def test_where_nothing_is_negative_rounding_down_is_f72_and_left_to_it(
    zero: int, x: float, expected: int
) -> None:
    """-1.5 is clipped to code 0, 1.5 rounds to 2, of -1.3 the floor is -2."""
    constants: dict[str, Any] = {"s": np.float32(1), "z": np.uint8(zero)}
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], name="q1")
    model = graph_model([node], {"x": (np.float32, [1])}, {"y": np.uint8}, constants)
    assert run(model, np.array([x], np.float32), "F73a").tolist() == [expected]
    places = find("F73a").places(Session(model, faults=("F73a",)).plan())
    assert places == (() if zero == 0 else ("q1",))


@pytest.mark.parametrize("family", FAMILIES)
def test_no_drawn_case_shows_a_fault_that_has_no_place_in_it(family: str) -> None:
    for seed in range(25):
        case = draw_case(family, "any", seed)
        graph = load(case.model)
        try:
            right = Session(graph).run(case.inputs)
        except EngineError:
            continue
        for fault in FAULTS:
            session = Session(graph, faults=(fault.key,))
            if not fault.places(session.plan()):
                wrong = session.run(case.inputs)
                same = all(wrong[name].tobytes() == y.tobytes() for name, y in right.items())
                assert same, (fault.key, case.origin)
