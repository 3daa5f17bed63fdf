"""onnxruntime's operators on codes, with every kind of scale: nothing lies outside but known defects."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest

from corpus.case import Array
from harness.oracle import Oracle, judge
from tests.harness.oracle.agreement import Feeds, Tally, asked, compare
from tests.harness.oracle.models import SCALES, scale

Case = tuple[onnx.ModelProto, Feeds]
Draw = Callable[[np.random.Generator, str, str], Case]


def codes(rng: np.random.Generator, shape: Sequence[int], dtype: str, bits: int = 8) -> Array:
    middle, half = 128 if dtype == "uint8" else 0, 2 ** (bits - 1)
    return rng.integers(middle - half, middle + half, shape).astype(dtype)


def parameters(
    rng: np.random.Generator, name: str, kind: str, dtype: str, low: int = -6, high: int = -3
) -> list[tuple[str, Any]]:
    middle = 128 if dtype == "uint8" else 0
    zero = np.asarray(middle + int(rng.integers(-40, 41)), dtype)
    return [(f"{name}_s", scale(rng, kind, low, high)), (f"{name}_z", zero)]


def unary(op: str, y: tuple[int, int], shape: Sequence[int], **attributes: Any) -> Draw:
    """x, its scale and zero point, y's scale and zero point."""

    def draw(rng: np.random.Generator, kind: str, dtype: str) -> Case:
        order = [("x", None), *parameters(rng, "x", kind, dtype)]
        order += parameters(rng, "y", kind, dtype, *y)
        feeds = {"x": codes(rng, shape, dtype)}
        return asked(op, feeds, order, **attributes), feeds

    return draw


def binary(op: str, low: int, high: int) -> Draw:
    def draw(rng: np.random.Generator, kind: str, dtype: str) -> Case:
        order = [("a", None), *parameters(rng, "a", kind, dtype)]
        order += [("b", None), *parameters(rng, "b", kind, dtype)]
        order += parameters(rng, "y", kind, dtype, low, high)
        shapes = ((16, 1, 40), (25, 40))
        feeds = {n: codes(rng, s, dtype) for n, s in zip("ab", shapes, strict=True)}
        return asked(op, feeds, order), feeds

    return draw


def concat(rng: np.random.Generator, kind: str, dtype: str) -> Case:
    order = parameters(rng, "y", kind, dtype)
    for name in ("a", "b"):
        order += [(name, None), *parameters(rng, name, kind, dtype)]
    feeds = {name: codes(rng, (30, 40, 6), dtype) for name in ("a", "b")}
    return asked("QLinearConcat", feeds, order, axis=1), feeds


def where(rng: np.random.Generator, kind: str, dtype: str) -> Case:
    order: list[tuple[str, Any]] = [("c", rng.random((50, 60)) < 0.5)]
    for name in ("a", "b"):
        order += [(name, None), *parameters(rng, name, kind, dtype)]
    order += parameters(rng, "y", kind, dtype)
    feeds = {name: codes(rng, (4, 50, 60), dtype) for name in ("a", "b")}
    return asked("QLinearWhere", feeds, order), feeds


def qlinear_matmul(rng: np.random.Generator, kind: str, dtype: str) -> Case:
    b = codes(rng, (40, 50), dtype)
    columns = np.array([scale(rng, kind, -8, -5) for _ in range(50)])
    order = [("a", None), *parameters(rng, "a", kind, dtype), ("b", b)]
    order += [("b_s", columns), ("b_z", np.full(50, 128 if dtype == "uint8" else 0, dtype))]
    order += parameters(rng, "y", kind, dtype, -2, 0)
    feeds = {"a": codes(rng, (3, 40, 40), dtype, 7)}
    return asked("QLinearMatMul", feeds, order, domain=""), feeds


def qgemm(y: bool) -> Draw:
    def draw(rng: np.random.Generator, kind: str, dtype: str) -> Case:
        c = rng.integers(-3000, 3000, 50).astype(np.int32)
        order = [("a", None), *parameters(rng, "a", kind, dtype)]
        order += [("b", codes(rng, (50, 40), dtype)), *parameters(rng, "b", kind, dtype)]
        order += [("c", c), *(parameters(rng, "y", kind, dtype, 0, 2) if y else [])]
        feeds = {"a": codes(rng, (40, 60), dtype, 7)}
        return asked("QGemm", feeds, order, transA=1, transB=1), feeds

    return draw


def matmul_integer(rng: np.random.Generator, kind: str, dtype: str) -> Case:
    order = [("a", None), ("b", codes(rng, (40, 50), dtype))]
    order += [("a_z", np.asarray(7, dtype)), ("b_z", codes(rng, (50,), dtype))]
    feeds = {"a": codes(rng, (3, 40, 40), dtype, 7)}
    return asked("MatMulInteger", feeds, order, domain=""), feeds


def matmul_integer_to_float(rng: np.random.Generator, kind: str, dtype: str) -> Case:
    (a_s, a_z), (b_s, b_z) = (parameters(rng, name, kind, dtype) for name in "ab")
    order = [("a", None), ("b", codes(rng, (40, 50), dtype)), a_s, b_s, a_z, b_z]
    order.append(("c", rng.normal(size=50).astype(np.float32)))
    feeds = {"a": codes(rng, (3, 40, 40), dtype, 7)}
    return asked("MatMulIntegerToFloat", feeds, order), feeds


def conv_integer(rng: np.random.Generator, kind: str, dtype: str) -> Case:
    order = [("x", None), ("w", codes(rng, (6, 2, 3, 3), "uint8"))]
    order += [("x_z", np.asarray(99, "uint8")), ("w_z", np.asarray(120, "uint8"))]
    feeds = {"x": codes(rng, (2, 4, 12, 11), "uint8", 7)}
    model = asked("ConvInteger", feeds, order, domain="", group=2, pads=[1, 0, 2, 1])
    return model, feeds


def dynamic_quantize_linear(rng: np.random.Generator, kind: str, dtype: str) -> Case:
    feeds = {"x": reals(rng, (60, 50), kind)}
    return asked("DynamicQuantizeLinear", feeds, [("x", None)], domain="", outputs=3), feeds


def dynamic_quantize_matmul(rng: np.random.Generator, kind: str, dtype: str) -> Case:
    feeds = {"x": reals(rng, (60, 40), kind)}
    order = [("x", None), ("b", codes(rng, (40, 50), dtype, 7))]
    order += [*parameters(rng, "b", kind, dtype), ("c", rng.normal(size=50).astype("f4"))]
    return asked("DynamicQuantizeMatMul", feeds, order), feeds


def reals(rng: np.random.Generator, shape: Sequence[int], kind: str) -> Array:
    """Floats on the halves of a grid of 255 steps, so that many of them are ties, or almost.

    Without doubts for random scales: plain normal ones.
    """
    if kind == "random":
        return rng.normal(size=shape).astype(np.float32)
    step = float(scale(rng, kind, -6, -3))
    low = int(rng.integers(-255, 1))
    x = rng.integers(2 * low, 2 * low + 511, shape) / 2.0 * step
    x.flat[:2] = low * step, (low + 255) * step
    return x.astype(np.float32)


IMAGE = (4, 6, 13, 12)
WINDOW = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}
RIGHT: dict[str, Draw] = {
    "QLinearSigmoid": unary("QLinearSigmoid", (-8, -7), (60, 80)),
    "QLinearLeakyRelu": unary("QLinearLeakyRelu", (-6, -3), (60, 80), alpha=0.1),
    "QLinearGlobalAveragePool": unary("QLinearGlobalAveragePool", (-9, -6), (40, 30, 5, 7)),
    "QLinearConcat": concat,
    "QLinearWhere": where,
    "QLinearMatMul": qlinear_matmul,
    "QGemm": qgemm(True),
    "QGemm to float": qgemm(False),
    "MatMulInteger": matmul_integer,
    "MatMulIntegerToFloat": matmul_integer_to_float,
    "ConvInteger": conv_integer,
    "DynamicQuantizeLinear": dynamic_quantize_linear,
    "DynamicQuantizeMatMul": dynamic_quantize_matmul,
}
# They add the zero point before they round: exact ties of an odd one go to the other neighbour.
ZERO_POINT_INSIDE: dict[str, Draw] = {
    "QLinearAdd": binary("QLinearAdd", -5, -2),
    "QLinearMul": binary("QLinearMul", -7, -4),
    "QLinearAveragePool": unary("QLinearAveragePool", (-6, -3), IMAGE, **WINDOW),
}


def check(draw: Draw, elements: int) -> Tally:
    """Cases of at least so many outputs in all, for every kind of scale and both types."""
    seen, index = Tally(), 0
    while seen.elements < elements or index < 10:
        rng = np.random.default_rng([40, index])
        kind, dtype = SCALES[index % 5], ("uint8", "int8")[index // 5 % 2]
        compare(seen, *draw(rng, kind, dtype), f"{kind} {dtype} {index}")
        index += 1
    return seen


@pytest.mark.backend("ort")
@pytest.mark.parametrize("name", RIGHT)
def test_onnxruntime_is_right(name: str) -> None:
    seen = check(RIGHT[name], 100_000)
    assert seen.outside == 0, seen.first


@pytest.mark.backend("ort")
@pytest.mark.parametrize("name", ZERO_POINT_INSIDE)
def test_onnxruntime_is_right_but_for_ties(name: str) -> None:
    seen = check(ZERO_POINT_INSIDE[name], 100_000)
    assert seen.kinds <= {"exact", "tie", "rounding-mode"}, seen.first
    assert "rounding-mode" in seen.kinds


@pytest.mark.backend("ort")
def test_onnxruntimes_softmax_on_codes_is_a_little_off() -> None:
    """It adds integers of a table instead of exponentials: up to a fiftieth of a step of error."""
    seen = check(unary("QLinearSoftmax", (-10, -7), (60, 90), opset=13, axis=-1), 100_000)
    assert 0 < seen.outside < seen.elements / 100
    assert seen.steps == 1.0


@pytest.mark.slow
@pytest.mark.backend("ort")
@pytest.mark.parametrize("name", [*RIGHT, *ZERO_POINT_INSIDE])
def test_onnxruntime_is_right_on_a_million_elements(name: str) -> None:
    seen = check((RIGHT | ZERO_POINT_INSIDE)[name], 1_000_000)
    allowed = {"exact", "tie"} | ({"rounding-mode"} if name in ZERO_POINT_INSIDE else set())
    assert seen.kinds <= allowed, seen.first


def test_a_product_of_codes_may_be_summed_as_reals() -> None:
    """The schema of MatMulIntegerToFloat says "A * B": no sums of integers first."""
    scale_of_a, weights = np.float32(0.01), np.array([[7], [-90], [-98]], np.int8)
    order = [("a", None), ("b", weights), ("a_s", scale_of_a), ("b_s", np.float32(1))]
    feeds = {"a": np.array([[1, -1, 1]], np.int8)}
    allowed = Oracle(asked("MatMulIntegerToFloat", feeds, order)).allowed(feeds)["o0"]
    terms = (feeds["a"] * scale_of_a).reshape(-1) * weights.reshape(-1).astype(np.float32)
    summed = np.float32(terms[0] + terms[1]) + terms[2]
    for right in (summed, np.float32(-0.01)):
        assert not judge(allowed, np.array([[right]], np.float32)).is_wrong
    for wrong in (-0.01001, -0.00999, 0.0):
        assert judge(allowed, np.array([[wrong]], np.float32)).is_wrong


def test_a_dynamic_product_may_be_summed_as_reals() -> None:
    """Ones are quantized exactly; -6 steps are a sum of 48, 40 and -94."""
    weights, scale = np.array([[48], [40], [-94]], np.int8), np.float32(0.04093202)
    order = [("x", None), ("b", weights), ("b_s", scale)]
    feeds = {"x": np.ones((1, 3), np.float32)}
    allowed = Oracle(asked("DynamicQuantizeMatMul", feeds, order)).allowed(feeds)["o0"]
    terms = weights.reshape(-1).astype(np.float32) * scale
    for right in (np.float32(terms[0] + terms[1]) + terms[2], -6 * scale):
        assert not judge(allowed, np.array([[right]], np.float32)).is_wrong
    for wrong in (-6.001 * scale, -5.999 * scale, 6 * scale):
        assert judge(allowed, np.array([[wrong]], np.float32)).is_wrong
