"""What holds for every float32, every scale and every zero point."""

from fractions import Fraction

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from corpus.case import Array
from harness.oracle import Allowed, Oracle, judge

F = np.float32
scales = st.one_of(
    st.floats(2.0**-100, 2.0**100, width=32),
    st.integers(-60, 60).map(lambda k: 2.0**k),
    st.sampled_from([0.1, 0.05, 1 / 255, 0.3]).map(lambda s: float(F(s))),
)
halves = st.integers(-1200, 1200).map(lambda n: n / 2)
zeros = st.integers(-128, 127)


def quantize_model(zero: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, ()),
        ],
        [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
        [helper.make_tensor("z", TensorProto.INT8, (), [zero])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


def quantized(x: Array, scale: float, zero: int) -> Allowed:
    known = {"x": x, "s": np.array(scale, F)}
    return Oracle(quantize_model(zero)).allowed(known)["y"]


def saturated(steps: float | int, zero: int) -> int:
    return int(min(max(round(steps) + zero, -128), 127))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), scales, zeros)
def test_quantize_linear_allows_the_exact_and_the_float32_answers(
    x: float, scale: float, zero: int
) -> None:
    got = quantized(np.array([x], F), scale, zero)
    exact = saturated(round(Fraction(x) / Fraction(scale)), zero)
    with np.errstate(all="ignore"):
        divided = np.clip(F(x) / F(scale), F(-1e9), F(1e9))
        multiplied = np.clip(F(x) * (F(1) / F(scale)), F(-1e9), F(1e9))
    for code in (exact, saturated(float(divided), zero), saturated(float(multiplied), zero)):
        assert got.low[0] <= code <= got.high[0]
    assert got.high[0] - got.low[0] <= 1


@given(halves, st.integers(-60, 60).map(lambda k: 2.0**k), zeros)
def test_powers_of_two_decide_every_tie(half: float, scale: float, zero: int) -> None:
    got = quantized(np.array([half * scale], F), scale, zero)
    assert got.low[0] == got.centre[0] == got.high[0] == saturated(half, zero)
    beyond = 2 * half - round(half) if half % 1 == 0.5 else round(half)
    assert got.other[0] == saturated(beyond, zero)


@given(st.lists(halves, min_size=1, max_size=8), scales, zeros, st.data())
def test_a_verdict_is_wrong_exactly_outside(
    steps: list[float], scale: float, zero: int, data: st.DataObject
) -> None:
    got = quantized((np.array(steps) * scale).astype(F), scale, zero)
    codes = np.array(
        data.draw(st.lists(zeros, min_size=len(steps), max_size=len(steps))), np.int8
    )
    verdict = judge(got, codes)
    outside = (codes < got.low) | (codes > got.high)
    assert verdict.is_wrong == outside.any()
    assert verdict.wrong == outside.sum()
    assert verdict.ties == (~outside & (codes != got.centre)).sum()
    if verdict.kind == "rounding-mode":
        assert np.all(codes[outside] == got.other[outside])
    for end in (got.low, got.centre, got.high):
        assert not judge(got, end.astype(np.int8)).is_wrong
