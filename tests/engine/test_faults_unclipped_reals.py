"""Codes that become reals at once, with the values of OpenVINO 2026.4.1; where they are right there is no place."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine.faults import find
from harness.emulate import Emulator
from tests.engine.models import Array

KEY = "F152.reals"
LARGE = 2146910064  # 128 steps of float32 below 2**31


def convolution(
    bias: list[int],
    operator: str = "codes",
    x: tuple[str, int] = ("uint8", 0),
    w: tuple[str, int] = ("uint8", 0),
    zero: int = 0,
) -> Case:
    """One pixel of 0 in each channel, 1x1 weights of 0; sums of 0, steps of 1."""
    count, (kind, w_zero), (codes, x_zero) = len(bias), w, x
    form = {
        "codes": "q = QLinearConv (x, s, z, w, s, v, s, u, b)",
        "pair": """f = DequantizeLinear (x, s, z) g = DequantizeLinear (w, s, v) d = DequantizeLinear (b, s)
  c = Conv (f, g, d) q = QuantizeLinear (c, s, u)""",
    }[operator]
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 13]>
g ({codes}[1, 1, 1, 1] x) => (float[1, {count}, 1, 1] y)
<float s = {{1}}, {codes} z = {{{x_zero}}}, {kind}[{count}, 1, 1, 1] w = {{{", ".join("0" * count)}}},
 {kind} v = {{{w_zero}}}, uint8 u = {{{zero}}}, int32[{count}] b = {{{", ".join(map(str, bias))}}}> {{
  {form} y = DequantizeLinear (q, s, u)
}}""")
    return Case(model.SerializeToString(), {"x": np.zeros((1, 1, 1, 1), codes)})


def told(case: Case, fault: str = "") -> list[float]:
    """What is foretold of each channel."""
    emulator = Emulator(case, "spec")
    y: Array = emulator.outputs(find(fault) if fault else None)["y"]
    found: list[float] = y.reshape(-1).tolist()
    return found


@pytest.mark.parametrize("operator", ["codes", "pair"])
@pytest.mark.parametrize(
    ("bias", "zero", "expected"),
    [([LARGE], 0, [256]), ([LARGE], 9, [246]), ([7, LARGE], 0, [7, 256]), ([99], 0, [99])],
)
def test_a_large_bias_leaves_nothing_of_the_bounds(
    operator: str, bias: list[int], zero: int, expected: list[float]
) -> None:
    case = convolution(bias, operator, zero=zero)
    assert told(case) == np.clip(bias, -zero, 255 - zero).tolist()
    assert told(case, KEY) == expected


KERNELS = {
    "weights of uint8": (convolution([7, LARGE]), True),
    "a zero point of w": (convolution([7, LARGE], w=("int8", 1)), True),
    "a zero point of int8 x": (convolution([7, LARGE], x=("int8", 1), w=("int8", 0)), True),
    "a zero point of uint8 x": (convolution([7, LARGE], x=("uint8", 1), w=("int8", 0)), False),
    "one channel": (convolution([LARGE], w=("int8", 0)), True),
    "no zero point": (convolution([7, LARGE], w=("int8", 0)), False),
    "no bias": (convolution([0]), False),
}


@pytest.mark.parametrize("name", KERNELS)
def test_it_is_there_where_int8_kernels_are_not(name: str) -> None:
    case, there = KERNELS[name]
    assert Emulator(case, "spec").acts(find(KEY)) == there


def test_codes_that_are_handed_out_are_clipped() -> None:
    model = convolution([7, LARGE]).proto()
    model.graph.output.append(
        onnx.helper.make_tensor_value_info("q", onnx.TensorProto.UINT8, [1, 2, 1, 1])
    )
    case = Case(model.SerializeToString(), {"x": np.zeros((1, 1, 1, 1), np.uint8)})
    assert not Emulator(case, "spec").acts(find(KEY))
