"""Every operator between DequantizeLinear and QuantizeLinear, and with float outputs, on onnxruntime.

Two levels each: the float operator, and what the engine fuses. Known exceptions have lists of their own.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from corpus.case import Array
from tests.harness.oracle.agreement import Graph, Tally, tally

F = np.float32
_RNG = np.random.default_rng(9)


def normal(*shape: int) -> Array:
    return _RNG.normal(size=shape).astype(F)


def integers(*values: int) -> Array:
    return np.array(values, np.int64)


PLAIN = {"x": (50, 102)}
IMAGE = {"x": (3, 8, 15, 14)}
PAIR = {"a": (4, 1, 40), "b": (30, 40)}
_UNARY = (
    *("Abs", "Celu", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu"),
    *("Log", "Mish", "Neg", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt", "Tanh"),
    *("LogSoftmax", "ThresholdedRelu", "Ceil", "Floor", "Round", "Sign", "Reciprocal"),
)
_WINDOW = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}
_PER_CHANNEL = [("s", normal(8)), ("b", normal(8))]
_PER_COLUMN = [("s", normal(102)), ("b", normal(102))]

ELEMENTWISE: Mapping[str, Graph] = {
    **{op: Graph(op, PLAIN) for op in _UNARY},
    **{op: Graph(op, PAIR) for op in ("Div", "Max", "Mean", "Min", "Sub", "Sum")},
    "Gelu by tanh": Graph("Gelu", PLAIN, attributes={"approximate": "tanh"}),
    "LeakyRelu exact": Graph("LeakyRelu", PLAIN, attributes={"alpha": 0.125}),
    "PRelu": Graph("PRelu", IMAGE, [("slope", normal(8, 1, 1))]),
    "Swish": Graph("Swish", PLAIN, opset=24),
    "QuickGelu": Graph("QuickGelu", PLAIN, domain="com.microsoft"),
    "BatchNormalization": Graph(
        "BatchNormalization",
        IMAGE,
        [*_PER_CHANNEL, ("m", normal(8)), ("v", np.abs(normal(8)) + F(0.1))],
    ),
    "InstanceNormalization": Graph("InstanceNormalization", IMAGE, _PER_CHANNEL),
    "LayerNormalization": Graph("LayerNormalization", PLAIN, _PER_COLUMN),
}
POOLS: Mapping[str, Graph] = {
    "AveragePool with pads": Graph(
        "AveragePool",
        IMAGE,
        attributes={**_WINDOW, "count_include_pad": 1, "ceil_mode": 1},
    ),
    "GlobalAveragePool": Graph("GlobalAveragePool", {"x": (40, 30, 5, 7)}),
    "GlobalMaxPool": Graph("GlobalMaxPool", {"x": (40, 30, 5, 7)}),
    "MaxPool": Graph("MaxPool", IMAGE, attributes={**_WINDOW, "ceil_mode": 1}),
    "MaxPool with indices": Graph(
        "MaxPool", IMAGE, attributes=_WINDOW, outputs=2, quantized=False
    ),
    "MaxPool with indices by columns": Graph(
        "MaxPool",
        IMAGE,
        attributes={**_WINDOW, "storage_order": 1},
        outputs=2,
        quantized=False,
    ),
    **{
        op: Graph(op, {"x": (40, 30, 35)}, [("axes", integers(-1))])
        for op in ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum")
    },
    "ReduceMean of two": Graph(
        "ReduceMean", {"x": (16, 70, 5)}, [("axes", integers(0, 2))], {"keepdims": 0}
    ),
    "TopK": Graph("TopK", {"x": (60, 50)}, [("k", integers(5))], outputs=2),
    "ArgMax": Graph(
        "ArgMax", {"x": (600, 50)}, attributes={"axis": 1, "keepdims": 0}, quantized=False
    ),
    "ArgMin": Graph(
        "ArgMin",
        {"x": (60, 500)},
        attributes={"axis": 0, "select_last_index": 1},
        quantized=False,
    ),
}
TRANSPOSED: tuple[dict[str, Any], ...] = (
    {"strides": [2, 3], "pads": [1, 0, 0, 1], "output_padding": [1, 0]},
    {"dilations": [2, 1], "group": 2},
    {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"strides": [3, 2], "auto_pad": "SAME_LOWER"},
    {"strides": [2, 2], "output_shape": [14, 15]},
    {"pads": [1, 1, 1, 1]},
)
PRODUCTS: Mapping[str, Graph] = {
    "Conv": Graph("Conv", {"x": (2, 6, 9, 8), "w": (8, 3, 3, 2)}, attributes={"group": 2}),
    "MatMul": Graph("MatMul", {"a": (3, 40, 33), "b": (33, 20)}),
    "Gemm": Graph("Gemm", {"a": (60, 33), "b": (33, 20)}, [("c", normal(20))]),
    "Gemm turned": Graph(
        "Gemm",
        {"a": (33, 60), "b": (20, 33)},
        [("c", normal(20))],
        {"transA": 1, "transB": 1, "alpha": 0.7, "beta": 1.5},
    ),
    **{
        f"ConvTranspose {index}": Graph(
            "ConvTranspose",
            {"x": (2, 6, 7, 8), "w": (6, 4, 3, 2)},
            [("b", normal(8 if "group" in each else 4))],
            each,
        )
        for index, each in enumerate(TRANSPOSED)
    },
}
MOVES: Mapping[str, Graph] = {
    "Concat": Graph("Concat", {"a": (4, 30, 20), "b": (4, 10, 20)}, attributes={"axis": 1}),
    "DepthToSpace": Graph("DepthToSpace", IMAGE, attributes={"blocksize": 2}),
    "Expand": Graph("Expand", {"x": (20, 1, 8)}, [("shape", integers(20, 9, 8))]),
    "Flatten": Graph("Flatten", IMAGE),
    "Gather": Graph("Gather", IMAGE, [("i", integers(3, 0, -1))], {"axis": 1}),
    "Identity": Graph("Identity", IMAGE),
    "Pad": Graph("Pad", IMAGE, [("p", integers(0, 0, 1, 2, 0, 0, 0, 1)), ("v", F(0.3))]),
    "Pad by reflection": Graph(
        "Pad", IMAGE, [("p", integers(0, 0, 1, 2, 0, 0, 0, 1))], {"mode": "reflect"}
    ),
    "Reshape": Graph("Reshape", IMAGE, [("s", integers(0, 2, -1))]),
    "Slice": Graph(
        "Slice",
        IMAGE,
        [
            *(("s", integers(1, -1)), ("e", integers(-1, -9))),
            *(("a", integers(2, 3)), ("t", integers(2, -1))),
        ],
    ),
    "SpaceToDepth": Graph("SpaceToDepth", {"x": (3, 8, 14, 12)}, attributes={"blocksize": 2}),
    "Split": Graph("Split", IMAGE, [("s", integers(3, 5))], {"axis": 1}, outputs=2),
    "Squeeze": Graph("Squeeze", {"x": (60, 1, 30)}, [("a", integers(1))]),
    "Tile": Graph("Tile", IMAGE, [("r", integers(1, 2, 1, 1))]),
    "Transpose": Graph("Transpose", IMAGE, attributes={"perm": [0, 2, 3, 1]}),
    "Unsqueeze": Graph("Unsqueeze", {"x": (60, 30)}, [("a", integers(1))]),
    "Resize by nearest": Graph(
        "Resize", IMAGE, [("", None), ("s", np.array([1, 1, 2, 1.5], F))], {"mode": "nearest"}
    ),
}
RESIZED: Mapping[str, Graph] = {
    f"Resize {mode} {size} {how}": Graph(
        "Resize",
        {"x": (2, 3, 8, 7)},
        [("", None), ("s", np.array([1, 1, *size], F))],
        {"mode": mode, "coordinate_transformation_mode": how},
    )
    for mode in ("linear", "cubic")
    for how in ("half_pixel", "asymmetric", "align_corners")
    for size in ((2, 2), (3, 4), (0.5, 1)) + ((1.3, 1.7),) * (how != "align_corners")
}
RIGHT = {**ELEMENTWISE, **POOLS, **PRODUCTS, **MOVES, **RESIZED}
# Fused, they add the zero point before they round: exact ties of an odd one may be found.
ZERO_POINT_INSIDE: Mapping[str, Graph] = {
    "Add": Graph("Add", PAIR),
    "AveragePool": Graph("AveragePool", IMAGE, attributes=_WINDOW),
    "Mul": Graph("Mul", PAIR),
}
SLACK: Mapping[str, float] = {
    **dict.fromkeys(("Log", "Reciprocal", "Sqrt"), 1.0),  # some arguments may become anything
    **dict.fromkeys(("Mean", "Sub", "Sum"), 0.3),
    **dict.fromkeys(("AveragePool with pads", "LeakyRelu exact"), 0.12),
}
"""Largest share of elements with more than one allowed value, where it is above 6 %.

Scales one ulp beside powers of two put every other sum of two codes within an ulp of a tie.
"""


def reports(graph: Graph, rounds: int) -> tuple[Tally, Tally]:
    """With codes as output, and with floats."""
    codes = tally(graph, rounds)
    return codes, tally(replace(graph, quantized=False), rounds) if graph.quantized else codes


@pytest.mark.backend("ort")
@pytest.mark.parametrize("name", RIGHT)
def test_onnxruntime_is_right(name: str) -> None:
    for seen in reports(RIGHT[name], 10):
        assert seen.outside == 0, seen.first
    seen = reports(RIGHT[name], 5)[0]
    assert seen.slack <= SLACK.get(name, 0.2 if name in RESIZED else 0.06), seen.slack


@pytest.mark.backend("ort")
@pytest.mark.parametrize("name", ZERO_POINT_INSIDE)
def test_onnxruntime_is_right_but_for_ties(name: str) -> None:
    codes, floats = reports(ZERO_POINT_INSIDE[name], 10)
    assert codes.kinds <= {"exact", "tie", "rounding-mode"}, codes.first
    assert floats.outside == 0, floats.first


@pytest.mark.backend("ort")
@pytest.mark.parametrize("opset", [11, 21])
def test_softmax_is_right_as_a_float_operator(opset: int) -> None:
    """Fused, onnxruntime adds integers of a table: see ``test_codes``."""
    axis = {"axis": 1} if opset == 11 else {}
    shape = {"x": (60, 10, 9)} if opset == 11 else PLAIN
    codes, floats = reports(Graph("Softmax", shape, attributes=axis, opset=opset), 10)
    assert floats.outside == 0, floats.first
    assert codes.outside < codes.elements / 100
    assert codes.steps <= 1.0


@pytest.mark.slow
@pytest.mark.backend("ort")
@pytest.mark.parametrize("name", [*RIGHT, *ZERO_POINT_INSIDE])
def test_onnxruntime_is_right_in_hundreds_of_cases(name: str) -> None:
    codes, floats = reports((RIGHT | dict(ZERO_POINT_INSIDE))[name], 200)
    known = {"rounding-mode"} if name in ZERO_POINT_INSIDE else set()
    assert codes.kinds <= {"exact", "tie"} | known, codes.first
    assert floats.outside == 0, floats.first
