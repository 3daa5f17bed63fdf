"""Quantized products to which codes with a zero point are added, with the values of OpenVINO 2026.4.1."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine.faults import find
from harness.emulate import Emulator

KEY = "F174"
HALVES = np.array([-5, -3, -1, 1, 3, 5, 6, 4], np.int8)
"""Half steps of the sums."""


def added(
    zero: int = -1,
    own: int = 0,
    steps: float = 2,
    between: str = "",
    after: str = "t = Add (q, r)",
    product: str = "MatMul",
    kind: tuple[str, str] = ("int8", "int8"),
    other: str = "r = DequantizeLinear (y, u, z)",
    outputs: str = "float[A, B] t",
    real: bool = False,
) -> Case:
    """Sums in steps of 1, quantized in steps of 2 around ``own``; added to it zeros in ``steps``, around ``zero``."""
    q, y = kind
    image, rank = ((1, 8, 1, 1), 4) if product.startswith(("Conv", "Average")) else ((1, 8), 2)
    shape = ", ".join(map(str, image))
    outputs = outputs.replace("A, B", "A, B, C, D") if rank == 4 else outputs
    weights = np.eye(8, dtype=np.int8).reshape((8, 8, 1, 1)[:rank])
    model = onnx.parser.parse_model(f"""<ir_version: 10, opset_import: ["" : 21]>
g (int8[{shape}] x, {"float" if real else y}[{shape}] y) => ({outputs})
<float s = {{1}}, float f = {{2}}, {q} g = {{{own}}}, float u = {{{steps}}}, {y} z = {{{zero}}}, float c = {{0}}, {y} k = {{{zero}}}> {{
  d = DequantizeLinear (x, s) e = DequantizeLinear (w, s) {"o" if between else "p"} = {product} {between}
  b = QuantizeLinear (p, f, g) q = DequantizeLinear (b, f, g) {other} {after}
}}""")
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    second = np.zeros(image, np.float32) if real else np.full(image, zero, y)
    return Case(model.SerializeToString(), {"x": HALVES.reshape(image), "y": second})


def matmul(**given: object) -> Case:
    return added(product="MatMul (d, e)", **given)  # type: ignore[arg-type]


def told(case: Case, key: str = "") -> list[float]:
    """What is foretold of the sum."""
    return Emulator(case, "spec").outputs(find(key) if key else None)["t"].reshape(-1).tolist()


EVEN, ODD = [-4, -4, 0, 0, 4, 4, 6, 4], [-6, -2, -2, 2, 2, 6, 6, 4]
QUANTIZED = "r0 = QuantizeLinear (y, u, z) r = DequantizeLinear (r0, u, z)"
WRONG = {
    "a MatMul": (matmul(), ODD),
    "a Gemm": (added(product="Gemm (d, e)"), ODD),
    "a Conv": (added(product="Conv (d, e)"), ODD),
    "the other way round": (matmul(after="t = Add (r, q)"), ODD),
    "a zero point of its own": (matmul(own=1), ODD),
    "another zero point": (matmul(zero=5), ODD),
    "uint8": (matmul(zero=129, own=128, kind=("uint8", "uint8")), ODD),
    "uint8 added to int8": (matmul(zero=1, kind=("int8", "uint8")), ODD),
    "nothing below zero": (matmul(kind=("uint8", "int8")), [0, 0, 0, 2, 2, 6, 6, 4]),
    "a Relu between": (matmul(between="p = Relu (o)"), [0, 0, 0, 2, 2, 6, 6, 4]),
    "a sum with a constant": (matmul(between="p = Add (o, c)"), ODD),
    "an Abs behind": (
        matmul(after="v = Add (q, r) t = Abs (v)"),
        [6, 2, 2, 2, 2, 6, 6, 4],
    ),
    "a QuantizeLinear behind a MatMul": (
        matmul(after="v = Add (q, r) l = QuantizeLinear (v, s) t = DequantizeLinear (l, s)"),
        [0, 0, 0, 2, 2, 6, 6, 4],
    ),
    "codes made of reals": (matmul(other=QUANTIZED, real=True), ODD),
    "another reader of the other": (
        matmul(after="v = Add (q, r) h = Abs (r) t = Add (v, h)"),
        ODD,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_ties_go_to_odd_steps(name: str) -> None:
    case, expected = WRONG[name]
    assert told(case, KEY) == expected
    assert told(case) != expected


def test_without_it_they_go_to_even_steps() -> None:
    assert told(matmul()) == EVEN


def test_other_quantizers_add_their_own_zero_point() -> None:
    case = matmul(other=QUANTIZED, real=True)
    halves = (HALVES[::-1] * 1.0).astype(np.float32).reshape(1, 8)
    case = Case(case.model, {**case.inputs, "y": halves})
    assert told(case) == [0, 2, 4, 4, 4, 4, 2, 0]
    assert told(case, "F174.each") == [-2, 4, 4, 4, 4, 4, 4, -2]


QUIET = {
    "an even zero point": matmul(zero=-2),
    "an even one, its own is odd": matmul(zero=0, own=1),
    "another scale": matmul(steps=1),
    "nearly the same scale": matmul(steps=2.0000002),
    "a Sub": matmul(after="t = Sub (q, r)"),
    "a second reader": matmul(after="v = Add (q, r) h = Abs (q) t = Add (v, h)"),
    "the real sum is an output": matmul(outputs="float[A, B] t, float[A, B] q"),
    "the codes are an output": matmul(outputs="float[A, B] t, int8[A, B] b"),
    "no product": added(product="Abs (d)"),
    "an AveragePool": added(product="AveragePool <kernel_shape = [1, 1]> (d)"),
    "a constant": matmul(other="r = DequantizeLinear (k, u, z)"),
    "a quantized one in front of a Relu's": matmul(
        other=QUANTIZED, real=True, between="p = Relu (o)", after="t = Add (r, q)"
    ),
    "a Relu behind the other": matmul(
        other="m = DequantizeLinear (y, u, z) r = Relu (m)",
    ),
}


@pytest.mark.parametrize("name", QUIET)
def test_it_has_no_place_where_openvino_is_right(name: str) -> None:
    case = QUIET[name]
    assert not Emulator(case, "spec").acts(find(KEY))
    assert told(case)


@pytest.mark.parametrize("product", ["Conv (d, e)", "MatMul (d, e)"])
def test_a_quantized_sum_behind_a_conv_is_left_alone(product: str) -> None:
    """OpenVINO rounds some of them as it should."""
    after = "v = Add (q, r) l = QuantizeLinear (v, f, g) t = DequantizeLinear (l, f, g)"
    case = added(product=product, after=after)
    assert Emulator(case, "spec").acts(find(KEY)) == product.startswith("MatMul")


def test_of_two_sums_none_is_foretold() -> None:
    """Which one takes the other's zero point depends on what else there is."""
    other = "o2 = MatMul (d, e) r0 = QuantizeLinear (o2, u, z) r = DequantizeLinear (r0, u, z)"
    assert not Emulator(matmul(other=other), "spec").acts(find(KEY))
