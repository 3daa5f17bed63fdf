"""Merged pairs in front of a Conv with a bias, with the values of onnxruntime 1.31.1."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine.faults import find
from harness.emulate import Emulator


def convolved(zero: int = 127, steps: float = 0.25, reader: str = "", other: str = "") -> Case:
    """A bias of 1520 steps behind two pairs of scale 16, in codes of 8; the input is all 0."""
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 18]>
g (float[1, 2, 1, 1] x) => (uint8[1, 1, 1, 1] y{", float[1] e" if other else ""})
<float s = {{16}}, uint8 z = {{128}}, uint8 o = {{{zero}}}, int8[1, 2, 1, 1] w = {{0, 0}}, float t = {{0.015625}},
 int32[1] b = {{1520}}, float u = {{{steps}}}, float v = {{8}}, uint8 f = {{0}}> {{
  k = QuantizeLinear (x, s, z) l = DequantizeLinear (k, s, z)
  m = QuantizeLinear (l, s, o) n = DequantizeLinear (m, s, o)
  p = DequantizeLinear (w, t) q = DequantizeLinear (b, u) {other}
  c = Conv (n, p, q) {reader} y = QuantizeLinear ({"r" if reader else "c"}, v, f)
}}""")
    return Case(model.SerializeToString(), {"x": np.zeros((1, 2, 1, 1), np.float32)})


def told(case: Case, key: str = "") -> int:
    fault = find(key) if key else None
    return int(Emulator(case, "spec").outputs(fault)["y"].item())


def test_the_bias_counts_steps_of_the_merged_pair() -> None:
    """1520 * 15.9375 / 64 = 378.5 of 380, a fraction below the tie."""
    case = convolved()
    assert told(case) == told(case, "F112") == 48
    assert told(case, "F112.bias") == 47


@pytest.mark.parametrize(
    "case",
    [
        convolved(steps=0.2525),
        convolved(other="e = Abs (q)"),
        convolved(zero=128),
    ],
    ids=["steps of its own", "another reader", "equal pairs"],
)
def test_what_the_kernel_does_not_count_is_left_alone(case: Case) -> None:
    assert told(case, "F112.bias") == told(case, "F112") == told(case)


def test_a_relu_behind_changes_nothing() -> None:
    assert told(convolved(reader="r = Relu (c)"), "F112.bias") == 47


def test_pairs_behind_given_codes_are_merged_too() -> None:
    """Our engine makes one operation of each DequantizeLinear and QuantizeLinear: there no pairs are left."""
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1] x) => (float[1] y)
<float s = {1}, float t = {0.00048828125}, int8 z = {0}> {
  g = DequantizeLinear (x, s, z) h = QuantizeLinear (g, t, z) i = DequantizeLinear (h, t, z)
  j = QuantizeLinear (i, s, z) y = DequantizeLinear (j, s, z)
}""")
    emulator = Emulator(Case(model.SerializeToString(), {"x": np.ones(1, np.int8)}), "spec")
    assert emulator.correct["y"].item() == 0
    assert emulator.outputs(find("F112"))["y"].item() == 127 / 2048
