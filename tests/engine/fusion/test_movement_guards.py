"""R18 to R35, R54, R62: the guards that their own tests leave out, each with its reason."""

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.engine.fusion.checks import assert_same_bits, fired, refusals
from tests.engine.fusion.movements import SCALE, ZERO, X, between, model, node, pair

ROW = np.linspace(0.01, 0.04, 4).astype(np.float32)
ZEROS = np.zeros(4, np.uint8)


def computed(graph: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """An initializer turned into a graph input."""
    found = next(each for each in graph.graph.initializer if each.name == name)
    graph.graph.initializer.remove(found)
    info = helper.make_tensor_value_info(name, found.data_type, list(found.dims))
    graph.graph.input.append(info)
    return graph


def with_reader(graph: onnx.ModelProto, name: str = "xr") -> onnx.ModelProto:
    """One more reader of a float tensor."""
    graph.graph.node.append(node("Neg", [name], "other"))
    graph.graph.output.append(helper.make_tensor_value_info("other", 1, None))
    return graph


def split(
    axis: int | None = None, relu: bool = False, outputs: Any = ("y0", "y1")
) -> onnx.ModelProto:
    scale: Any = SCALE if axis is None else ROW
    zero: Any = ZERO if axis is None else ZEROS
    on = {} if axis is None else {"axis": axis}
    nodes = [node("DequantizeLinear", ["x", "xs", "xz"], "xr", **({} if relu else on))]
    if relu:
        nodes.append(node("Relu", ["xr"], "ar"))
    cut = helper.make_node("Split", ["ar" if relu else "xr", "n"], ["r0", "r1"], "cut", axis=3)
    nodes.append(cut)
    constants = {
        "n": np.array([2, 4]),
        **pair("x", SCALE if relu else scale, ZERO if relu else zero),
    }
    for i in range(2):
        nodes.append(node("QuantizeLinear", [f"r{i}", f"{i}s", f"{i}z"], f"y{i}", **on))
        constants |= pair(str(i), scale, zero)
    kinds = ["y0", "y1", *(each for each in outputs if each not in ("y0", "y1"))]
    return model(nodes, constants, kinds)


def concat(
    axis: int | None = None, quantized: bool = True, outputs: Any = ()
) -> onnx.ModelProto:
    scale: Any = SCALE if axis is None else ROW
    zero: Any = ZERO if axis is None else ZEROS
    on = {} if axis is None else {"axis": axis}
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr", **on),
        node("Identity", ["x"], "x2"),
        node("DequantizeLinear", ["x2", "xs", "xz"], "br", **on),
        node("Concat", ["xr", "br"], "yr", axis=0),
    ]
    if quantized:
        nodes.append(node("QuantizeLinear", ["yr", "ys", "yz"], "y", **on))
        return model(
            nodes, {**pair("x", scale, zero), **pair("y", scale, zero)}, ["y", *outputs]
        )
    return model(nodes, pair("x", scale, zero), ["yr"])


def resized(axis: int) -> onnx.ModelProto:
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr", axis=axis),
        node("Resize", ["xr", "", "f"], "yr", mode="linear"),
        node("QuantizeLinear", ["yr", "ys", "yz"], "y"),
    ]
    constants = {"f": np.array([1, 1, 2, 2], np.float32), **pair("x", ROW, ZEROS)}
    return model(nodes, constants | pair("y", SCALE, ZERO), ["y"])


def relu_flatten_per_axis() -> onnx.ModelProto:
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
        node("Relu", ["xr"], "ar"),
        node("Flatten", ["ar"], "yr", axis=0),
        node("QuantizeLinear", ["yr", "ys", "yz"], "y", axis=1),
    ]
    wide = {"ys": np.full(192, 0.02, np.float32), "yz": np.zeros(192, np.uint8)}
    return model(nodes, {**pair("x", SCALE, ZERO), **wide}, ["y"])


def padded(name: str) -> onnx.ModelProto:
    constants = {
        "p": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "v": np.float32(0),
        "w": np.ones((2, 4, 1, 1), np.float32),
    }
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
        node("Pad", ["xr", "p", "v"], "xp"),
        node("Conv", ["xp", "w"], "yr"),
    ]
    return computed(model(nodes, {**constants, **pair("x", SCALE, ZERO)}, ["yr"]), name)


def padded_pair() -> onnx.ModelProto:
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
        node("Pad", ["xr", "p", "v"], "yr"),
        node("QuantizeLinear", ["yr", "ys", "yz"], "y"),
    ]
    constants = {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "v": np.float32(0)}
    parameters = {**pair("x", SCALE, ZERO), **pair("y", SCALE, ZERO)}
    return computed(model(nodes, {**constants, **parameters}, ["y"]), "v")


def reshaped() -> onnx.ModelProto:
    constants = {
        "rows": np.ones((2, 4), np.int8),
        "rs": np.float32(0.5),
        "shape": np.array([2, 4, 1, 1]),
    }
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
        node("DequantizeLinear", ["rows", "rs"], "wd"),
        node("Reshape", ["wd", "shape"], "wr"),
        node("Conv", ["xr", "wr"], "yr"),
    ]
    return computed(model(nodes, {**constants, **pair("x", SCALE, ZERO)}, ["yr"]), "shape")


def folded(op: str) -> onnx.ModelProto:
    constants: dict[str, Any] = {
        "f": np.ones((4, 4, 1, 1), np.float32),
        "row": ROW.reshape(4, 1, 1),
    }
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
        node("Conv", ["xr", "f"], "c"),
        node("Mul", ["c", "row"], "yr"),
    ]
    names = ["row"]
    if op == "BatchNormalization":
        names = ["a", "b", "m", "v"]
        constants |= dict.fromkeys(names, ROW)
        nodes[2] = node(op, ["c", *names], "yr")
        constants.pop("row")
    graph = model(nodes, {**constants, **pair("x", SCALE, ZERO)}, ["yr"])
    return computed(graph, names[0])


G12 = "G12: xr is shared ('xr' has 2 consumers: {}) and R46 is off"


@pytest.mark.parametrize(
    ("rule", "graph", "off", "reason"),
    [
        ("R18", split(axis=1), {"R32"}, "G2: xr has 4 scales, a Split needs 1"),
        ("R18", with_reader(split()), {"R46"}, G12.format("cut, other")),
        (
            "R19",
            with_reader(between("Slice")),
            {"R46"},
            "G12: dx is shared ('xr' has 2 consumers: m, other) and R46 is off",
        ),
        ("R20", resized(1), (), "G2: xr has 4 scales, the kernel takes 1"),
        ("R20", with_reader(resized(1)), {"R46"}, "G2: xr has 4 scales, the kernel takes 1"),
        ("R21", padded_pair(), (), "G1: the value 'v' of yr is computed, not constant"),
        (
            "R30",
            with_reader(between("Slice", y=(np.float32(0.5), ZERO))),
            {"R46"},
            "G12: dx is shared ('xr' has 2 consumers: m, other) and R46 is off",
        ),
        (
            "R31",
            relu_flatten_per_axis(),
            (),
            "G2: y has 192 scales, whose axis Flatten yr moves",
        ),
        ("R32", concat(1, quantized=False), (), "G2: xr has 4 scales, Concat needs 1"),
        ("R32", with_reader(concat(quantized=False)), {"R46"}, G12.format("yr, other")),
        ("R33", concat(1), {"R17", "R32"}, "G2: y has 4 scales, a Concat needs 1"),
        (
            "R33",
            concat(outputs=("yr",)),
            {"R17", "R32"},
            "G3: 'yr' is a graph output, so it must exist in float",
        ),
        ("R34", split(axis=1, relu=True), (), "G2: y0 has 4 scales, a Split needs 1"),
        (
            "R34",
            split(relu=True, outputs=("r0",)),
            (),
            "G3: 'r0' is a graph output, so it must exist in float",
        ),
        (
            "R34",
            split(relu=True, outputs=("ar",)),
            (),
            "G3: 'ar' is a graph output, so it must exist in float",
        ),
        ("R54", padded("v"), (), "G1: the value 'v' of xp is computed"),
        ("R54", padded("p"), (), "G1: the pads or axes of xp are computed, or axes are named"),
        ("R62", reshaped(), (), "G1: a parameter of wd or wr is computed"),
        ("R24", folded("Mul"), (), "G1: 'row' of yr is computed, not a float32 constant"),
        (
            "R24",
            folded("BatchNormalization"),
            (),
            "G1: a parameter of yr is computed, not constant",
        ),
    ],
)
def test_the_guard_stops_the_rule(
    rule: str, graph: onnx.ModelProto, off: Collection[str], reason: str
) -> None:
    assert rule not in fired(graph, off=off)
    assert reason in refusals(graph, rule, off)
    feeds = {each.name: X for each in graph.graph.input[:1]}
    for each in graph.graph.input[1:]:
        feeds[each.name] = VALUES[each.name]
    assert_same_bits(graph, feeds)


VALUES: dict[str, Any] = {
    "v": np.array(0, np.float32),
    "p": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "shape": np.array([2, 4, 1, 1]),
    "row": ROW.reshape(4, 1, 1),
    "a": ROW,
}


def test_a_resize_on_codes_needs_its_dequantize_alone_where_r46_is_off() -> None:
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
        node("Resize", ["xr", "", "f"], "yr", mode="linear"),
        node("QuantizeLinear", ["yr", "ys", "yz"], "y"),
    ]
    constants = {"f": np.array([1, 1, 2, 2], np.float32), **pair("x", SCALE, ZERO)}
    graph = with_reader(model(nodes, constants | pair("y", SCALE, ZERO), ["y"]))
    assert "R20" in fired(graph)
    assert refusals(graph, "R20", {"R46"}) == {G12.format("yr, other")}
