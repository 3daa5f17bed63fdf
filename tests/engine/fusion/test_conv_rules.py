"""R05, R22, R23, R24, R54, R62: convolutions with more in front of them or behind them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engine import Session
from tests.engine.fusion.checks import assert_inside, assert_same_bits, fired, refusals
from tests.engine.fusion.movements import node
from tests.engine.models import Array, graph_model

RANDOM = np.random.default_rng(0)
W = RANDOM.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8)
X = RANDOM.integers(0, 256, (1, 3, 6, 6)).astype(np.uint8)
R = RANDOM.integers(0, 256, (1, 4, 6, 6)).astype(np.uint8)
ROW = (2.0 ** -np.array([6, 7, 8, 6])).astype(np.float32)
CONSTANTS: dict[str, Any] = {
    "xs": np.float32(2.0**-5),
    "xz": np.array(7, np.uint8),
    "w": W,
    "ws": ROW,
    "b": RANDOM.integers(-500, 500, 4).astype(np.int32),
    "bs": np.float32(2.0**-5) * ROW,
    "ys": np.float32(2.0**-3),
    "yz": np.array(9, np.uint8),
    "rs": np.float32(2.0**-4),
    "rz": np.array(100, np.uint8),
}
CONV = [
    node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
    node("DequantizeLinear", ["w", "ws"], "wr", axis=0),
    node("DequantizeLinear", ["b", "bs"], "br", axis=0),
    node("Conv", ["xr", "wr", "br"], "c", pads=[1, 1, 1, 1]),
]
SKIP = node("DequantizeLinear", ["r", "rs", "rz"], "rr")


def model(
    nodes: Sequence[onnx.NodeProto],
    changes: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = ("y",),
    inputs: Sequence[str] = ("x",),
    opset: int = 17,
) -> onnx.ModelProto:
    constants = CONSTANTS | dict(changes or {})
    read = {name for each in nodes for name in each.input}
    shapes = {"x": (np.uint8, list(X.shape)), "r": (np.uint8, list(R.shape))}
    kinds = {name: np.uint8 if name == "y" else np.float32 for name in outputs}
    kept = {name: each for name, each in constants.items() if name in read}
    return graph_model(list(nodes), {n: shapes[n] for n in inputs}, kinds, kept, opset)


def quantized(real: str) -> onnx.NodeProto:
    return node("QuantizeLinear", [real, "ys", "yz"], "y")


def residual(relu: bool = False, **how: Any) -> onnx.ModelProto:
    nodes = [*CONV, SKIP, node("Add", ["c", "rr"], "s")]
    if relu:
        nodes.append(node("Relu", ["s"], "a"))
    return model([*nodes, quantized("a" if relu else "s")], inputs=("x", "r"), **how)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("scale", [2.0**-4, 0.037])
def test_r22_adds_the_residual_in_one_rounding(relu: bool, scale: float) -> None:
    graph = residual(relu, changes={"rs": np.float32(scale)})
    assert fired(graph) == {"R22"}
    assert_inside(graph, {"x": X, "r": R})


def test_r22_is_exact_where_everything_is() -> None:
    assert_same_bits(residual(), {"x": X, "r": R})


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (
            residual(outputs=("y", "c")),
            "G3: 'c' is a graph output, so it must exist in float",
        ),
        (
            residual(outputs=("y", "s")),
            "G3: 's' is a graph output, so it must exist in float",
        ),
        (
            residual(changes={"rs": ROW, "rz": np.zeros(4, np.uint8)}),
            "G2: rr has 4 scales, the kernel takes 1",
        ),
        (
            residual(changes={"bs": ROW}),
            "G10: the scale of bias br is 0.015625 in channel 0, x_scale * w_scale is 0.00048828125",
        ),
    ],
)
def test_r22_does_not_fire_and_says_why(graph: onnx.ModelProto, reason: str) -> None:
    assert "R22" not in fired(graph)
    assert reason in refusals(graph, "R22")
    assert_inside(graph, {"x": X, "r": R})


def test_r22_is_for_arithmetic_that_has_it() -> None:
    plan = Session(residual(), profile="ort").plan()
    assert "R22" not in {step.rule for step in plan.steps}
    assert any(
        (each.rule, each.guard) == ("R22", "G16")
        and each.reason == "profile ort has no convolution with a residual"
        for each in plan.kept
    )


def silu(gate: str = "c", **how: Any) -> onnx.ModelProto:
    nodes = [*CONV, node("Sigmoid", [gate], "g"), node("Mul", ["c", "g"], "m")]
    return model([*nodes, quantized("m")], **how)


def test_r23_computes_silu_behind_the_convolution() -> None:
    assert fired(silu()) == {"R23"}
    assert_same_bits(silu(), {"x": X})
    scaled = silu(changes={"ys": np.float32(0.0371)})
    assert fired(scaled) == {"R23"}
    assert_inside(scaled, {"x": X})


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (("y", "c"), "G3: 'c' is read by more than g and m"),
        (("y", "g"), "G3: 'g' is a graph output, so it must exist in float"),
        (("y", "m"), "G3: 'm' is a graph output, so it must exist in float"),
    ],
)
def test_r23_leaves_what_others_need(outputs: tuple[str, ...], reason: str) -> None:
    graph = silu(outputs=outputs)
    assert "R23" not in fired(graph)
    assert reason in refusals(graph, "R23")
    assert_inside(graph, {"x": X})


FLOATS: dict[str, Any] = {
    "f": (W / np.float32(64)).astype(np.float32),
    "fb": np.array([1, -2, 3, 0.5], np.float32),
    "scale": np.array([1, 2, -0.5, 1], np.float32),
    "bias": np.array([1, 2, 3, 4], np.float32),
    "mean": np.array([0, 1, 2, 3], np.float32),
    "var": np.array([1, 2, 3, 4], np.float32),
    "row": np.array([1, 2, 3, 4], np.float32).reshape(4, 1, 1),
    "last": np.arange(6, dtype=np.float32),
    "one": np.float32(3),
}


def after_float_conv(op: str, *others: str, **how: Any) -> onnx.ModelProto:
    nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], "xr"),
        node("Conv", ["xr", "f", "fb"], "c"),
        node(op, ["c", *others], "v"),
    ]
    return model(nodes, FLOATS, ("v", *how.pop("outputs", ())), **how)


@pytest.mark.parametrize(
    ("op", "others"),
    [
        ("BatchNormalization", ("scale", "bias", "mean", "var")),
        ("Mul", ("row",)),
        ("Add", ("row",)),
        ("Mul", ("one",)),
        ("Add", ("one",)),
    ],
)
def test_r24_folds_into_float_weights(op: str, others: tuple[str, ...]) -> None:
    graph = after_float_conv(op, *others)
    assert fired(graph) == {"R24"}
    assert len(Session(graph).plan().steps) == 2
    assert_inside(graph, {"x": X})


def test_r24_leaves_other_shapes_and_codes() -> None:
    graph = after_float_conv("Mul", "last")
    assert fired(graph) == set()
    assert refusals(graph, "R24") == {"G9: 'last' (6,) is not one value a channel"}
    shared = after_float_conv("Mul", "row", outputs=("c",))
    assert refusals(shared, "R24") == {"G3: 'c' is a graph output, so it must exist in float"}
    codes = model([*CONV, node("Mul", ["c", "one"], "v")], FLOATS, ("v",))
    assert refusals(codes, "R24") == {
        "G8: the weights of c are dequantized or computed, not float32 constants"
    }


def padded(
    value: Any = None,
    mode: str = "constant",
    border: Any = (0, 0, 1, 2, 0, 0, 0, 1),
    **conv: Any,
) -> onnx.ModelProto:
    constants: dict[str, Any] = {"p": np.array(border)}
    if value is not None:
        constants["v"] = np.float32(value)
    nodes = [
        CONV[0],
        node("Pad", ["xr", *constants], "xp", mode=mode),
        CONV[1],
        node("Conv", ["xp", "wr"], "c", **conv),
        quantized("c"),
    ]
    return model(nodes, constants)


@pytest.mark.parametrize("value", [None, 0.0])
@pytest.mark.parametrize("own", [None, [1, 0, 0, 1]])
def test_r54_takes_pads_along(value: float | None, own: list[int] | None) -> None:
    conv: dict[str, Any] = {} if own is None else {"pads": own}
    graph = padded(value, **conv)
    assert fired(graph) == {"R54", "R01"}
    assert_same_bits(graph, {"x": X})


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (padded(1.0), "G11: xp pads with 1.0, c with 0"),
        (padded(mode="edge"), "G11: xp repeats values, c pads with one"),
        (
            padded(auto_pad="SAME_UPPER"),
            "G11: auto_pad of c depends on the size that xp makes",
        ),
        (
            padded(border=(1, 0, 0, 0, 0, 0, 0, 0)),
            "G11: xp pads [[1, 0, 0, 0], [0, 0, 0, 0]]: outside the image, or cuts it",
        ),
        (
            padded(border=(0, 0, -1, 0, 0, 0, 0, 0)),
            "G11: xp pads [[0, 0, -1, 0], [0, 0, 0, 0]]: outside the image, or cuts it",
        ),
    ],
)
def test_r54_leaves_other_borders(graph: onnx.ModelProto, reason: str) -> None:
    assert "R54" not in fired(graph)
    assert reason in refusals(graph, "R54")
    assert_same_bits(graph, {"x": X})


def test_r54_on_codes_wants_the_zero_point() -> None:
    def on_codes(code: int) -> onnx.ModelProto:
        constants = {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "v": np.array(code, np.uint8)}
        inputs = ["xp", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
        nodes = [node("Pad", ["x", "p", "v"], "xp"), node("QLinearConv", inputs, "y")]
        return model(nodes, {**constants, "wz": np.zeros(4, np.int8)})

    assert fired(on_codes(7)) == {"R54"}
    assert_same_bits(on_codes(7), {"x": X})
    assert fired(on_codes(0)) == set()
    assert refusals(on_codes(0), "R54") == {"G11: xp pads with 0, y with 7"}


def test_r54_counts_the_pads_of_an_average() -> None:
    def pooled(**more: Any) -> onnx.ModelProto:
        nodes = [
            CONV[0],
            node("Pad", ["xr", "p"], "xp"),
            node("AveragePool", ["xp"], "v", kernel_shape=[2, 2], **more),
        ]
        return model(nodes, {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}, ("v",))

    assert "R54" in fired(pooled())
    assert_inside(pooled(), {"x": X})
    for more, reason in (
        ({"pads": [1, 1, 0, 0]}, "G11: v does not count its own pads, but those of xp"),
        ({"ceil_mode": 1}, "G11: ceil_mode of v may reach behind the pads"),
    ):
        assert reason in refusals(pooled(**more), "R54")
        assert_inside(pooled(**more), {"x": X})


def blocked(shape: Sequence[int] = (4, 3, 3, 3)) -> onnx.ModelProto:
    rows = W.reshape(4, 27)
    constants = {
        "rows": rows,
        "scales": RANDOM.uniform(0.001, 0.01, (4, 3)).astype(np.float32),
        "shape": np.array(shape),
    }
    nodes = [
        CONV[0],
        node("DequantizeLinear", ["rows", "scales"], "wd", axis=1, block_size=9),
        node("Reshape", ["wd", "shape"], "wr"),
        node("Conv", ["xr", "wr"], "v"),
    ]
    return model(nodes, constants, ("v",), opset=21)


def test_r62_dequantizes_reshaped_weights_at_load() -> None:
    assert "R62" in fired(blocked())
    assert "Reshape" not in {step.kind for step in Session(blocked()).plan().steps}
    assert_same_bits(blocked(), {"x": X})
    copied = blocked((0, 3, 3, 3))
    assert "R62" not in fired(copied)
    assert refusals(copied, "R62") == {"G11: wr copies a dimension of the matrix"}


def transposed(
    groups: int, per_channel: bool, relu: bool = False
) -> tuple[onnx.ModelProto, Array]:
    w = RANDOM.integers(-128, 128, (4, 6 // groups, 3, 2)).astype(np.int8)
    scale: Any = np.float32(2.0**-6)
    if per_channel:
        scale = (2.0 ** -np.arange(4, 4 + 6 // groups)).astype(np.float32)
    steps = np.float32(2.0**-5) * np.tile(np.atleast_1d(scale), groups if per_channel else 1)
    constants = {
        "t": w,
        "ts": scale,
        "tb": RANDOM.integers(-500, 500, 6).astype(np.int32),
        "tbs": steps if per_channel else steps.reshape(()),
    }
    nodes = [
        CONV[0],
        node("DequantizeLinear", ["t", "ts"], "tr", axis=1),
        node("DequantizeLinear", ["tb", "tbs"], "tbr", axis=0),
        helper.make_node(
            "ConvTranspose",
            ["xr", "tr", "tbr"],
            ["c"],
            "ct",
            strides=[2, 1],
            group=groups,
            output_padding=[1, 0],
            pads=[1, 0, 0, 1],
        ),
    ]
    if relu:
        nodes.append(node("Relu", ["c"], "a"))
    graph = model([*nodes, quantized("a" if relu else "c")], constants)
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    return graph, RANDOM.integers(0, 256, (1, 4, 6, 6)).astype(np.uint8)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_r05_transposes_on_codes(groups: int, per_channel: bool, relu: bool) -> None:
    graph, x = transposed(groups, per_channel, relu)
    assert fired(graph) == {"R05"}
    assert_same_bits(graph, {"x": x})


def test_r05_wants_the_scales_on_the_output_channels() -> None:
    graph, _ = transposed(1, per_channel=True)
    next(each for each in graph.graph.node if each.output[0] == "tr").attribute[0].i = 0
    assert "R05" not in fired(graph)
    assert refusals(graph, "R05") == {
        "G9: the weight scales of tr are on axis 0, a ConvTranspose needs 1"
    }
