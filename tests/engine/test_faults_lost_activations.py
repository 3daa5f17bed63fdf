"""Activations behind element-wise operations on codes, with the values of OpenCV 5.0.0."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine.faults import find
from harness.emulate import Emulator

LEAKY = "n = LeakyRelu <alpha = 0.25> (k)"
PAIR = "l = QuantizeLinear (k, s, z) m = DequantizeLinear (l, s, z)"
SIGMOID = f"{PAIR} n = Sigmoid (m)"


def combined(behind: str, operator: str = "Add (i, j)", more: str = "") -> Case:
    """-60, -1, 2 and 40 with -1, -2, 3 and 2, in steps of 1; what comes out in steps of 1/2 around -2."""
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 14]>
g (int8[4] a, int8[4] b) => (int8[4] y)
<float s = {{1}}, int8 z = {{0}}, float r = {{0.5}}, int8 o = {{-2}}, int8 c = {{7}}, float[1] p = {{0.25}}> {{
  i = DequantizeLinear (a, s, z) j = DequantizeLinear (b, s, z) e = DequantizeLinear (c, s, z)
  k = {operator} {behind} y = QuantizeLinear (n, r, o) {more}
}}""")
    inputs = {"a": [-60, -1, 2, 40], "b": [-1, -2, 3, 2]}
    return Case(
        model.SerializeToString(),
        {name: np.array(each, np.int8) for name, each in inputs.items()},
    )


def told(case: Case, *faults: str) -> list[int]:
    emulator = Emulator(case, "spec")
    found = emulator.outputs(find("+".join(faults)) if faults else None)["y"]
    return [int(each) for each in found]


RELU, SUMS = [-2, -2, 8, 82], [-124, -8, 8, 82]


@pytest.mark.parametrize("behind", [LEAKY, "n = PRelu (k, p)"])
def test_the_slope_is_lost(behind: str) -> None:
    assert told(combined(behind)) == [-32, -4, 8, 82]
    assert told(combined(behind), "F82.combination") == RELU


def test_beside_the_fault_that_adds_whatever_the_operator_is() -> None:
    case = combined(LEAKY, "Min (i, j)")
    assert told(case, "F92", "F82.combination") == RELU


@pytest.mark.parametrize(
    ("operator", "behind", "expected"),
    [
        ("Add (i, j)", SIGMOID, SUMS),
        ("Mul (i, j)", SIGMOID, [118, 2, 10, 127]),
        ("Add (i, j)", f"q = Relu (k) {SIGMOID.replace('(k,', '(q,')}", RELU),
    ],
)
def test_the_sigmoid_is_left_out(operator: str, behind: str, expected: list[int]) -> None:
    assert told(combined(behind, operator), "F178") == expected


@pytest.mark.parametrize(
    ("case", "key"),
    [
        (combined(LEAKY, "Add (i, e)"), "F82.combination"),
        (combined(LEAKY, "Neg (i)"), "F82.combination"),
        (combined(PAIR + LEAKY.replace("(k)", "(m)")), "F82.combination"),
        (combined(SIGMOID, "Add (i, e)"), "F178"),
        (combined(SIGMOID, "Add (i, i)"), "F178"),
        (combined(SIGMOID, "Sum (i, j, i)"), "F178"),
        (combined(SIGMOID, "Abs (i)"), "F178"),
        (combined(SIGMOID.replace("Sigmoid", "Tanh")), "F178"),
        (combined("n = Sigmoid (k)"), "F178"),
    ],
)
def test_elsewhere_it_has_no_place(case: Case, key: str) -> None:
    assert not Emulator(case, "spec").acts(find(key))
