"""Convolutions and products on integers give what those on reals give, and are seen by faults of kernels."""

import numpy as np
import onnx
import pytest

from corpus.case import Array, Case
from engine import Session, load
from engine.faults import find
from generators.partners.integers import in_integers
from harness.emulate import Emulator

CONV = """<ir_version: 8, opset_import: ["" : 17]>
g (uint8[1,2,3,3] x, float[2] b) => (float[1,2,3,3] y) <float s = {0.5}, uint8 z = {3}, float[2] t = {0.25, 2},
  int8[2,2,1,1] w = {127, 126, -1, 9}> {
  v = Identity (w)
  xf = DequantizeLinear (x, s, z)
  wf = DequantizeLinear <axis: int = 0> (v, t)
  h = Relu (wf)
  y = Conv (xf, wf, b)
}"""
GEMM = """<ir_version: 8, opset_import: ["" : 17]>
g (uint8[2,3] x, float[2] b) => (float[2,2] y) <float s = {0.5}, float[2] t = {0.25, 2}, float f = {4},
  int8[2,3] w = {127, 126, -1, 9, 127, 127}> {
  xf = DequantizeLinear (x, s)
  xg = Mul (xf, f)
  wf = DequantizeLinear <axis: int = 0> (w, t)
  y = Gemm <alpha: float = 0.5, beta: float = 0.25, transB: int = 1> (xg, wf, b)
}"""
COMPUTED = """<ir_version: 8, opset_import: ["" : 17]>
g (uint8[2,3] x, int8[3,2] w, float[2] b) => (float[2,2] y) <float s = {0.5}, float[2] t = {0.25, 2}> {
  xf = DequantizeLinear (x, s)
  wf = DequantizeLinear <axis: int = 1> (w, t)
  y = MatMul (xf, wf)
}"""
TURNED = GEMM.replace("uint8[2,3] x", "uint8[3,2] x").replace(
    "transB", "transA: int = 1, transB"
)
UNKNOWN = GEMM.replace("uint8[2,3] x", "int16[2,3] x")


def written(text: str, x: Array) -> Case:
    inputs = {"x": x, "b": np.array([3, -5], np.float32)}
    return Case(onnx.parser.parse_model(text).SerializeToString(), inputs)


@pytest.mark.parametrize(
    ("text", "shape", "op", "fault"),
    [
        (CONV, (1, 2, 3, 3), "ConvInteger", "F79a"),
        (GEMM, (2, 3), "MatMulInteger", "F79a.matmul"),
        (TURNED, (3, 2), "MatMulInteger", "F79a.matmul"),
    ],
)
def test_sums_of_integers(text: str, shape: tuple[int, ...], op: str, fault: str) -> None:
    case = written(text, np.full(shape, 255, np.uint8))
    made = in_integers(case)
    assert op in {each.op_type for each in made.proto().graph.node}
    right = Session(load(case.model)).run(case.inputs)["y"]
    assert Session(load(made.model)).run(made.inputs)["y"].tolist() == right.tolist()
    emulator = Emulator(case, "spec")
    assert emulator.acts_apart(find(fault))
    assert emulator.places(find(fault)) == ("y",)
    assert (emulator.outputs(find(fault))["y"] < right).any()


def test_a_second_operand_may_be_computed() -> None:
    case = written(COMPUTED, np.full((2, 3), 255, np.uint8))
    case = case.with_inputs({**case.inputs, "w": np.full((3, 2), 127, np.int8)})
    emulator, fault = Emulator(case, "spec"), find("F79a.matmul")
    assert emulator.places(fault) == ("y",)
    assert (emulator.outputs(fault)["y"] < emulator.correct["y"]).all()


def test_other_codes_stay_on_reals() -> None:
    case = written(UNKNOWN, np.ones((2, 3), np.int16))
    assert in_integers(case) is case
