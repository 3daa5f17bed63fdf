"""Sums that are read in float and quantized, with the values of OpenVINO 2026.4.1; where it is right there is no place."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine.faults import find
from harness.emulate import Emulator
from tests.engine.models import Array

KEY = "F172"
OUTPUTS = "float[N, 2, 1, K] t, int8[N, 2, 1, K] c"
PIXELS = np.array([-4, 1, 2, 5])


def convolution(
    after: str = "c = QuantizeLinear (t, r, y)",
    outputs: str = OUTPUTS,
    operator: str = "Conv (d, e)",
    x: tuple[str, int] = ("int8", 0),
    given: str = "x",
    shape: str = "N, 1, 1, 4",
    u: int = 0,
    v: str = "2, 0.25",
) -> Case:
    """Weights of 3 and -5, steps of 4 and 0.5, or 2 v; steps of 3 and a zero point of 1 behind them."""
    axis, (kind, zero) = int("Transpose" in operator), x
    made = "d" if given == "x" else "q"
    before = "" if given == "x" else "q = QuantizeLinear (f, s, z)"
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 13]>
g ({kind if given == "x" else "float"}[{shape}] {given}) => ({outputs})
<float s = {{2}}, {kind} z = {{{zero}}}, float[2] v = {{{v}}}, int8[2] u = {{{u}, {u}}},
 float r = {{3}}, int8 y = {{1}}, float[2] b = {{7, 0}}, float[2] o = {{0, 0}}, float low = {{-1000}}, float high = {{5}}> {{
  {before} d = DequantizeLinear ({given if given == "x" else made}, s, z)
  e = DequantizeLinear <axis = {axis}> (w, v, u) t = {operator} {after}
}}""")
    weights = np.array([3, -5], np.int8).reshape((1, 2, 1, 1) if axis else (2, 1, 1, 1))
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights + np.int8(u), "w"))
    codes = (PIXELS + zero).astype(kind)
    image: Array = codes if given == "x" else (2 * PIXELS).astype(np.float32)
    return Case(model.SerializeToString(), {given: image.reshape(1, 1, 1, 4)})


def product(w: str = "N", zero: int = 0, middle: int | None = None) -> Case:
    """1 and 2 times (3, -5), (2, 1), in steps of 4; of ``w`` batches, perhaps made there of uint8 codes."""
    e, made = ("w", "") if middle is None else ("q", "q = QuantizeLinear (w, s, m)")
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 13]>
g (int8[N, 1, 2] x, {"float" if made else "int8"}[{w}, 2, 2] w) => (float[M, 1, 2] t, int8[M, 1, 2] c)
<float s = {{2}}, int8 z = {{{zero}}}, uint8 m = {{{middle or 0}}}, float r = {{3}}, int8 y = {{1}}> {{
  {made} d = DequantizeLinear (x, s, z) e = DequantizeLinear ({e}, s, {"m" if made else "z"})
  t = MatMul (d, e) c = QuantizeLinear (t, r, y)
}}""")
    data: dict[str, Array] = {"x": np.array([[[1, 2]]]), "w": np.array([[[3, -5], [2, 1]]])}
    data["w"] = np.repeat(data["w"], 1 if w == "N" else int(w), axis=0)
    inputs: dict[str, Array] = {
        name: (each + zero).astype(np.int8) for name, each in data.items()
    }
    if made:
        inputs["w"] = (2 * data["w"]).astype(np.float32)
    return Case(model.SerializeToString(), inputs)


def told(case: Case, fault: str = "") -> dict[str, list[float]]:
    """What is foretold of each output but the sums, which stay as they are."""
    emulator = Emulator(case, "spec")
    found = emulator.outputs(find(fault) if fault else None)
    right = emulator.correct.get("t")
    assert right is None or (found["t"] == right).all()
    return {name: each.reshape(-1).tolist() for name, each in found.items() if name != "t"}


ONCE, TWICE = [-15, 5, 9, 21, 4, 0, -1, -3], [-63, 17, 33, 81, 3, 1, 0, -1]
QUANTIZED = "c = QuantizeLinear (a, r, y)"
WRONG = {
    "a Conv": (convolution(), {"c": TWICE}),
    "a ConvTranspose": (convolution(operator="ConvTranspose (d, e)"), {"c": TWICE}),
    "a MatMul": (product(), {"c": [38, -15]}),
    "a MatMul of one matrix": (product("1"), {"c": [38, -15]}),
    "a MatMul of codes around 128": (product(middle=128), {"c": [38, -15]}),
    "a bias of zeros": (convolution(operator="Conv (d, e, o)"), {"c": TWICE}),
    "a zero point of uint8": (convolution(x=("uint8", 100)), {"c": TWICE}),
    "a zero point chosen anew": (convolution(given="f", x=("int8", 9)), {"c": TWICE}),
    "an open width": (convolution(shape="1, 1, 1, W"), {"c": TWICE}),
    "a Relu, read too": (
        convolution(f"a = Relu (t) {QUANTIZED}", f"{OUTPUTS}, float[N, 2, 1, K] a"),
        {"c": [1, 17, 33, 81, 3, 1, 1, 1], "a": [0, 48, 96, 240, 5, 0, 0, 0]},
    ),
    "a LeakyRelu": (
        convolution(f"a = LeakyRelu <alpha = 0.5> (t) {QUANTIZED}"),
        {"c": [-31, 17, 33, 81, 3, 1, 1, 0]},
    ),
    "a MaxPool": (
        convolution(f"a = MaxPool <kernel_shape = [1, 2]> (t) {QUANTIZED}"),
        {"c": [17, 33, 81, 3, 1, 0]},
    ),
    "a number more": (
        convolution(f"a = Add (t, high) {QUANTIZED}"),
        {"c": [-61, 19, 35, 83, 4, 2, 2, 1]},
    ),
    "a number more beside it": (
        convolution(
            "a = Add (t, high) c = QuantizeLinear (t, r, y)",
            "float[N, 2, 1, K] a, int8[N, 2, 1, K] c",
        ),
        {"a": [-43, 17, 29, 65, 15, 2.5, 0, -7.5], "c": TWICE},
    ),
    "a Clip of one scale": (
        convolution(f"a = Clip (t, low, high) {QUANTIZED}", v="2, 2"),
        {"c": [-63, 3, 3, 3, 3, -26, -52, -128]},
    ),
    "a Clip without effect": (
        convolution(f"a = Clip (t, low) {QUANTIZED}"),
        {"c": TWICE},
    ),
    "an Abs beside it": (
        convolution(
            "a = Abs (t) c = QuantizeLinear (t, r, y)",
            "float[N, 2, 1, K] a, int8[N, 2, 1, K] c",
        ),
        {"a": [48, 12, 24, 60, 10, 2.5, 5, 12.5], "c": TWICE},
    ),
    "another QuantizeLinear": (
        convolution(
            "a = Relu (t) c = QuantizeLinear (d, r, y)",
            "float[N, 2, 1, K] t, float[N, 2, 1, K] a, int8[N, 1, 1, K] c",
        ),
        {"a": [0, 48, 96, 240, 5, 0, 0, 0], "c": [-2, 2, 2, 4]},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_scale_is_applied_once_more(name: str) -> None:
    case, expected = WRONG[name]
    assert told(case, KEY) == expected
    assert told(case) != expected


@pytest.mark.parametrize("sharing", ["F107", "F107.rounded", "F109", "F119"])
def test_sums_that_the_codes_are_made_of_are_not_made_of_the_codes(sharing: str) -> None:
    assert told(convolution(), f"{sharing}+{KEY}") == {"c": TWICE}


def test_without_it_it_is_applied_once() -> None:
    assert told(convolution()) == {"c": ONCE}


QUIET = {
    "a static batch": convolution(shape="1, 1, 1, 4"),
    "one reader": convolution(outputs="int8[N, 2, 1, K] c"),
    "nobody reads reals": convolution(
        "c = QuantizeLinear (t, r, y) a = Relu (t)",
        "float[N, 2, 1, K] a, int8[N, 2, 1, K] c",
    ),
    "a bias": convolution(operator="Conv (d, e, b)"),
    "a zero point of int8": convolution(x=("int8", 9)),
    "a zero point that is kept": convolution(
        given="f", x=("int8", 9), outputs=f"{OUTPUTS}, int8[N, 1, 1, K] q"
    ),
    "a zero point of the weights": convolution(u=2),
    "a zero point of a ConvTranspose": convolution(
        operator="ConvTranspose (d, e)", x=("uint8", 100)
    ),
    "a zero point of a MatMul": product(zero=3),
    "another zero point of a MatMul": product(middle=9),
    "as many matrices as are known": product("2"),
    "a Clip of several scales": convolution(f"a = Clip (t, low, high) {QUANTIZED}"),
    "strides of single pixels": convolution(operator="Conv <strides = [1, 2]> (d, e)"),
    "strides that leave gaps": convolution(operator="ConvTranspose <strides = [1, 2]> (d, e)"),
    "nothing is quantized": convolution(
        "a = Relu (t)", "float[N, 2, 1, K] t, float[N, 2, 1, K] a"
    ),
    "a scale of 1": convolution(v="0.5, 0.5"),
}


@pytest.mark.parametrize("name", QUIET)
def test_it_has_no_place_where_openvino_is_right(name: str) -> None:
    assert not Emulator(QUIET[name], "spec").acts(find(KEY))
