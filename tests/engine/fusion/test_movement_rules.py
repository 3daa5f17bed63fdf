"""R18, R19, R20, R21, R30 to R35, R63: values that only move, move as codes."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from tests.engine.fusion.checks import assert_same_bits, fired, refusals
from tests.engine.fusion.movements import MOVES, SCALE, ZERO, X, between, model, node, pair
from tests.engine.models import Array

OTHER = np.nextafter(SCALE, np.float32(1))
ROW = np.linspace(0.01, 0.04, 4).astype(np.float32)


@pytest.mark.parametrize("op", MOVES)
def test_r19_moves_codes(op: str) -> None:
    graph = between(op)
    assert fired(graph) == {"R19"}
    assert_same_bits(graph, {"x": X})


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (
            between("Slice", y=(OTHER, ZERO)),
            "G5: dx and qy differ: scale 0.019999999552965164 and 0.020000001415610313",
        ),
        (
            between("Slice", y=(SCALE, np.array(4, np.uint8))),
            "G5: dx and qy differ: zero point 3 and 4",
        ),
        (
            between("Slice", outputs=("y", "yr")),
            "G3: 'yr' is a graph output, so it must exist in float",
        ),
        (
            between(
                "Slice", x=(ROW, np.zeros(4, np.uint8)), y=(ROW, np.zeros(4, np.uint8)), axis=1
            ),
            "G2: dx has 4 scales, Slice needs 1",
        ),
        (
            between("Slice", x=(np.float32(1e37), ZERO), y=(np.float32(1e37), ZERO)),
            "G6: the scale 9.999999933815813e+36 of dx overflows float32 times 255",
        ),
    ],
)
def test_r19_does_not_fire_and_says_why(graph: onnx.ModelProto, reason: str) -> None:
    off = {"R30", "R31"}
    assert "R19" not in fired(graph, off=off)
    assert reason in refusals(graph, "R19", off)
    assert_same_bits(graph, {"x": X})


@pytest.mark.parametrize("op", MOVES)
def test_r30_moves_a_dequantize_forward(op: str) -> None:
    graph = between(op, outputs=("yr",))
    del graph.graph.node[2]
    assert fired(graph) == {"R30"}
    assert_same_bits(graph, {"x": X})


def per_channel(op: str, **attributes: Any) -> onnx.ModelProto:
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr", axis=1),
        node(op, ["xr"], "yr", **attributes),
    ]
    return model(nodes, pair("x", ROW, np.arange(4, dtype=np.uint8)), ["yr"])


def test_r30_takes_the_axis_along_with_a_transpose_only() -> None:
    graph = per_channel("Transpose", perm=[0, 2, 3, 1])
    assert fired(graph) == {"R30"}
    assert_same_bits(graph, {"x": X})
    graph = per_channel("Flatten", axis=2)
    assert fired(graph) == set()
    assert refusals(graph, "R30") == {"G2: xr has 4 scales, whose axis Flatten yr moves"}


def relu_then(op: str, outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    constants, attributes = MOVES[op]
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
        node("Relu", ["xr"], "ar"),
        node(op, ["ar", *constants], "yr", **attributes),
        node("QuantizeLinear", ["yr", "ys", "yz"], "y"),
    ]
    parameters = {**pair("x", SCALE, ZERO), **pair("y", np.float32(0.05), ZERO)}
    return model(nodes, {**constants, **parameters}, outputs)


@pytest.mark.parametrize("op", MOVES)
def test_r31_moves_a_quantize_backward(op: str) -> None:
    graph = relu_then(op)
    assert "R31" in fired(graph)
    assert_same_bits(graph, {"x": X})


def test_r31_leaves_what_others_need() -> None:
    graph = relu_then("Slice", ("y", "ar"))
    assert "R31" not in fired(graph)
    assert "G3: 'ar' is a graph output, so it must exist in float" in refusals(graph, "R31")
    graph = relu_then("Slice", ("y", "yr"))
    assert "G3: 'yr' is a graph output, so it must exist in float" in refusals(graph, "R31")


def split(
    scales: tuple[Any, Any] = (SCALE, SCALE), relu: bool = False, outputs: Any = ("y0", "y1")
) -> onnx.ModelProto:
    nodes = [node("DequantizeLinear", ["x", "xs", "xz"], "xr")]
    if relu:
        nodes.append(node("Relu", ["xr"], "ar"))
    cut = onnx.helper.make_node(
        "Split", ["ar" if relu else "xr", "n"], ["ar0", "ar1"], "cut", axis=1
    )
    nodes.append(cut)
    constants = {"n": np.array([1, 3]), **pair("x", SCALE, ZERO)}
    for i, scale in enumerate(scales):
        nodes.append(node("QuantizeLinear", [f"ar{i}", f"{i}s", f"{i}z"], f"y{i}"))
        constants |= pair(str(i), scale, ZERO)
    return model(nodes, constants, outputs)


def test_r18_splits_codes() -> None:
    assert fired(split()) == {"R18"}
    assert_same_bits(split(), {"x": X})
    other = split((SCALE, OTHER))
    assert "R18" not in fired(other, off={"R32"})
    assert refusals(other, "R18", {"R32"}) == {
        "G5: xr and y1 differ: scale 0.019999999552965164 and 0.020000001415610313"
    }
    assert_same_bits(split(outputs=("y0", "y1", "ar0")), {"x": X})
    assert refusals(split(outputs=("y0", "y1", "ar0")), "R18", {"R32"}) == {
        "G3: 'ar0' is a graph output, so it must exist in float"
    }


def test_r34_quantizes_before_the_split() -> None:
    assert "R34" in fired(split(relu=True))
    assert_same_bits(split(relu=True), {"x": X})
    other = split((SCALE, OTHER), relu=True)
    assert "R34" not in fired(other)
    assert refusals(other, "R34") == {
        "G5: y0 and y1 differ: scale 0.019999999552965164 and 0.020000001415610313"
    }


def concat(second: tuple[Any, Any], *, quantized: bool = True) -> onnx.ModelProto:
    nodes = [
        node("DequantizeLinear", ["x", "as", "az"], "ar"),
        node("Identity", ["x"], "x2"),
        node("DequantizeLinear", ["x2", "bs", "bz"], "br"),
        node("Concat", ["ar", "br"], "yr", axis=1),
    ]
    constants = {**pair("a", SCALE, ZERO), **pair("b", *second)}
    if quantized:
        nodes.append(node("QuantizeLinear", ["yr", "ys", "yz"], "y"))
        constants |= pair("y", np.float32(0.03), ZERO)
    return model(nodes, constants, ["y" if quantized else "yr"])


def test_r32_moves_equal_dequantizers_behind_a_concat() -> None:
    graph = concat((SCALE, ZERO), quantized=False)
    assert fired(graph) == {"R32"}
    assert_same_bits(graph, {"x": X})
    other = concat((OTHER, ZERO), quantized=False)
    assert fired(other) == set()
    assert refusals(other, "R32") == {
        "G5: ar and br differ: scale 0.019999999552965164 and 0.020000001415610313"
    }


def test_r33_quantizes_before_the_concat() -> None:
    off = {"R17", "R32", "R25"}
    graph = concat((np.float32(0.5), ZERO))
    assert fired(graph, off=off) == {"R33"}
    on, unfused = (Session(graph, fusion=each).run({"x": X})["y"] for each in (off, "off"))
    assert (on == unfused).all()


def twice(second: tuple[Any, Any]) -> onnx.ModelProto:
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
        node("Relu", ["xr"], "ar"),
        node("QuantizeLinear", ["ar", "as", "az"], "y0"),
        node("QuantizeLinear", ["ar", "bs", "bz"], "y1"),
    ]
    constants = {**pair("x", SCALE, ZERO), **pair("a", SCALE, ZERO), **pair("b", *second)}
    return model(nodes, constants, ["y0", "y1"])


def test_r35_merges_equal_quantizers() -> None:
    assert "R35" in fired(twice((SCALE, ZERO)))
    assert_same_bits(twice((SCALE, ZERO)), {"x": X})
    for second, reason in (
        (
            (OTHER, ZERO),
            "G5: y0 and y1 differ: scale 0.019999999552965164 and 0.020000001415610313",
        ),
        ((SCALE, np.array(4, np.uint8)), "G5: y0 and y1 differ: zero point 3 and 4"),
    ):
        graph = twice(second)
        assert "R35" not in fired(graph)
        assert reason in refusals(graph, "R35")
        assert_same_bits(graph, {"x": X})


def padded(value: Any = None, mode: str = "constant", scale: Any = SCALE) -> onnx.ModelProto:
    constants: dict[str, Any] = {"p": np.array([0, 0, 1, 2, 0, 0, 1, 0])}
    if value is not None:
        constants["v"] = np.float32(value)
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
        node("Pad", ["xr", *constants], "yr", mode=mode),
        node("QuantizeLinear", ["yr", "ys", "yz"], "y"),
    ]
    constants |= {**pair("x", SCALE, ZERO), **pair("y", scale, ZERO)}
    return model(nodes, constants, ["y"])


@pytest.mark.parametrize("value", [None, 0.0, 1.0, -3.0, 100.0, 0.05])
def test_r21_pads_with_the_code_of_the_value(value: float | None) -> None:
    assert fired(padded(value)) == {"R21"}
    assert_same_bits(padded(value), {"x": X})


@pytest.mark.parametrize("mode", ["reflect", "edge"])
def test_r21_repeats_codes(mode: str) -> None:
    assert fired(padded(mode=mode)) == {"R21"}
    assert_same_bits(padded(mode=mode), {"x": X})


def test_r21_needs_an_equal_pair() -> None:
    graph = padded(scale=OTHER)
    assert "R21" not in fired(graph)
    assert refusals(graph, "R21") == {
        "G5: xr and y differ: scale 0.019999999552965164 and 0.020000001415610313"
    }
    assert_same_bits(graph, {"x": X})


def resized(scale: Any = SCALE, **attributes: Any) -> onnx.ModelProto:
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
        node("Resize", ["xr", "", "f"], "yr", **attributes),
        node("QuantizeLinear", ["yr", "ys", "yz"], "y"),
    ]
    constants = {"f": np.array([1, 1, 2, 1.5], np.float32), **pair("x", SCALE, ZERO)}
    return model(nodes, constants | pair("y", scale, ZERO), ["y"])


def test_r20_nearest_moves_codes() -> None:
    assert fired(resized()) == {"R20"}
    assert_same_bits(resized(), {"x": X})
    assert refusals(resized(OTHER), "R20") == {
        "G5: xr and y differ: scale 0.019999999552965164 and 0.020000001415610313"
    }


@pytest.mark.parametrize("scale", [SCALE, np.float32(0.011)])
@pytest.mark.parametrize("mode", ["half_pixel", "align_corners", "asymmetric"])
def test_r20_linear_rounds_once(scale: Any, mode: str) -> None:
    graph = resized(scale, mode="linear", coordinate_transformation_mode=mode)
    assert fired(graph) == {"R20"}
    on, off = (run(graph, fusion) for fusion in ("on", "off"))
    assert np.abs(on - off).max() <= 1
    assert (on != off).mean() < 0.05  # where the exact value is a tie


def run(graph: onnx.ModelProto, fusion: str) -> Array:
    y = Session(graph, fusion=fusion).run({"x": X})["y"]
    return y.astype(int)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        (
            {"mode": "cubic"},
            "G11: yr is cubic, antialiased or not; only plain linear is fused",
        ),
        (
            {"coordinate_transformation_mode": "tf_crop_and_resize"},
            "G11: yr takes values from outside the image",
        ),
    ],
)
def test_r20_leaves_other_modes(attributes: dict[str, Any], reason: str) -> None:
    assert reason in refusals(resized(**attributes), "R20")


def test_r63_transposes_that_undo_each_other_go() -> None:
    def turned(second: list[int] | None) -> onnx.ModelProto:
        more = {} if second is None else {"perm": second}
        nodes = [
            node("Transpose", ["x"], "t", perm=[0, 2, 3, 1]),
            node("Transpose", ["t"], "y", **more),
        ]
        return model(nodes, {}, ["y"])

    for second in ([0, 3, 1, 2], [0, 1, 3, 2]):
        assert fired(turned(second)) == {"R63"}
        assert_same_bits(turned(second), {"x": X})
    assert fired(turned(None)) == set()
    assert refusals(turned(None), "R63") == {"G11: t or y leaves perm to its default"}
