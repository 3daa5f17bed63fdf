"""Diagnosing what our engine fuses and the backend computes operator by operator."""

import numpy as np
import onnx
import pytest

from corpus.case import Array, Case
from engine.faults import find
from harness.diagnose import diagnose
from harness.emulate import Emulator
from harness.oracle import Oracle

MOVED = """<ir_version: 7, opset_import: ["" : 14]>
moved (int8[1,12,1,1] x) => (int8[1,3,2,2] y)
   <float a = {2}, int8 b = {0}, float c = {4}, int8 d = {1}>
{
   e = DequantizeLinear (x, a, b)
   f = DepthToSpace <blocksize: int = 2> (e)
   y = QuantizeLinear (f, c, d)
}"""
ALONE = """
<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
g (uint8[1, 1] x) => (uint8[1, 1] y)
<float xs = {1}, uint8 xz = {0}, float ys = {0.015625}, uint8 yz = {110}> {
  y = com.microsoft.QLinearSoftmax <axis: int = 1, opset: int = 17> (x, xs, xz, ys, yz)
}
"""
JOINED = """<ir_version: 8, opset_import: ["" : 13]>
joined (float[1,3] x, uint8[1,3] r) => (uint8[2,3] y)
   <float a = {0.001953125}, uint8 b = {1}, float c = {0.00390625}, uint8 d = {1}>
{
   e = Relu (x)
   f = DequantizeLinear (r, a, b)
   g = Concat <axis: int = 0> (e, f)
   y = QuantizeLinear (g, c, d)
}"""
BEHIND = """<ir_version: 8, opset_import: ["" : 13]>
behind (float[1,1] x, uint8[1,1] r) => (uint8[2,1] y)
   <float a = {1}, uint8 b = {0}, float c = {131072}, uint8 d = {0}>
{
   e = Relu (x)
   f = DequantizeLinear (r, a, b)
   g = Concat <axis: int = 0> (f, e)
   y = QuantizeLinear (g, c, d)
}"""
ADDED = """<ir_version: 8, opset_import: ["" : %s]>
added (int8[1,1,1,2] x, int8[1,1,1,2] z) => (int8[1,1,1,2] y)
   <float s = {1}, float t = {4}, int8 o = {0}, int8[1,1,1,1] w = {5}>
{
   a = QLinearConv (x, s, o, w, s, o, t, o)
   b = DequantizeLinear (a, t, o)
   c = DequantizeLinear (z, t, o)
   d = Add (b, c)
   y = QuantizeLinear (d, s, o)
}"""
FAR = """<ir_version: 8, opset_import: ["" : 13]>
far (uint8[1,5,1] x) => (uint8[1,5,1] y)
   <float a = {1}, uint8 b = {0}, float c = {1}, uint8 d = {1}>
{
   e = DequantizeLinear (x, a, b)
   f = Exp (e)
   y = QuantizeLinear (f, c, d)
}"""


def written(text: str, **inputs: Array) -> Case:
    return Case(onnx.parser.parse_model(text).SerializeToString(), inputs)


def faults(case: Case, actual: Array, profile: str) -> list[str]:
    allowed = Oracle(case.proto()).allowed(case.inputs)
    return [each.fault for each in diagnose(case, {"y": actual}, allowed, profile).matches]


def test_a_fault_of_an_operator_that_our_engine_fuses_with_others() -> None:
    """Our engine moves codes and has a table for their scale; other engines compute the reals."""
    x = np.arange(12, dtype=np.int8).reshape(1, 12, 1, 1)
    case = written(MOVED, x=x)
    allowed = Oracle(case.proto()).allowed(case.inputs)
    moved = x.reshape(1, 3, 2, 2).astype(np.float32)  # DCR of one pixel, one element a block
    order = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]
    codes = np.rint(moved.reshape(-1)[order] / 2 + 1).astype(np.int8).reshape(1, 3, 2, 2)
    found = diagnose(case, {"y": codes}, allowed, "spec").matches
    assert ("F75", 12, 12) in {(each.fault, each.matched, each.total) for each in found}


def test_a_qlinear_operator_may_be_computed_on_reals() -> None:
    """One element, quantized alone: OpenCV's import spells a QLinearSoftmax out."""
    x = np.array([[1]], np.uint8)
    case = written(ALONE, x=x)
    allowed = Oracle(case.proto()).allowed(case.inputs)
    found = diagnose(case, {"y": np.array([[110]], np.uint8)}, allowed, "spec").matches
    assert [each.fault for each in found] == ["F124"]


@pytest.mark.parametrize("profile", ["spec", "opencv"])
def test_ties_of_a_single_quantize_linear_do_not_hang_on_where_ours_is_moved(
    profile: str,
) -> None:
    """Behind a Concat; the profile of OpenCV rounds so, which makes a dropped pair no better a cause."""
    case = written(JOINED, x=np.zeros((1, 3), np.float32), r=np.zeros((1, 3), np.uint8))
    actual = np.array([[1, 1, 1], [0, 0, 0]], np.uint8)  # rne(-1/2 + 1)
    found = faults(case, actual, profile)
    assert found.index("F75") < found.index("F104")


def test_what_the_profile_does_unfused_is_no_faults_doing() -> None:
    """OpenCV's conversion gives INT32_MIN for exp(240), whichever way it rounds."""
    case = written(FAR, x=np.array([0, 240, 0, 0, 0], np.uint8).reshape(1, 5, 1))
    actual = np.array([2, 0, 2, 2, 2], np.uint8).reshape(1, 5, 1)
    assert Emulator(case, "opencv").acts_apart(find("F76"))
    found = faults(case, actual, "opencv")
    assert "F76" in found
    assert "F73a" not in found


def test_what_acts_fused_in_one_place_may_act_unfused_in_another() -> None:
    """Our engine quantizes the Relu and requantizes the codes beside it; OpenCV joins reals.

    F124 multiplies by the scale: as our engine fuses, only the row of the Relu could show it.
    """
    case = written(BEHIND, x=np.array([[-1]], np.float32), r=np.array([[184]], np.uint8))
    actual = np.array([[255], [0]], np.uint8)
    emulator, fault = Emulator(case, "opencv"), find("F124")
    assert emulator.acts_fused(fault)
    assert emulator.outputs(fault)["y"].tolist() == [[0], [0]]
    assert faults(case, actual, "opencv") == ["F124"]


@pytest.mark.parametrize("opset", [10, 13])
def test_a_fault_of_rewrites_sees_what_a_qlinear_operator_hides(opset: int) -> None:
    """A QLinearConv ends in a QuantizeLinear: OpenVINO spells it out, and takes that as half of a pair."""
    sums = 5 * 1 - 4, 4 * 127 - 4 * 128  # 5 is no multiple of 4, 5 * 127 no code
    x, z, y = (np.array([[[each]]], np.int8) for each in ((1, 127), (-1, -128), sums))
    case = written(ADDED % opset, x=x, z=z)
    assert faults(case, y, "spec")[0] == "F151"
    assert set(Emulator(case, "spec").places(find("F151"))) == {"a", "b"}
