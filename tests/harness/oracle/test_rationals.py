"""Exact rationals: one rounding of the true value is always allowed, and alone where nothing errs."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from corpus.case import Array
from harness.oracle import Allowed, Oracle
from tests.harness.oracle.agreement import Graph, asked, drawn
from tests.harness.oracle.models import SCALES, scale

F = np.float32
Exact = Callable[..., Array]
_fraction = np.vectorize(lambda each: Fraction(float(each)), otypes=[object])


def fractions(array: Array) -> Array:
    """The array as Fractions."""
    found: Array = _fraction(array)
    return found


def rounded(v: Array, step: float, zero: int, dtype: Any) -> Array:
    """``sat(rne(v / step) + zero)``: Python's own round takes halves to even."""
    info = np.iinfo(dtype)
    codes = [
        min(max(round(each / Fraction(step)) + zero, info.min), info.max) for each in v.ravel()
    ]
    return np.array(codes, np.int64).reshape(v.shape)


def conv_transpose(x: Array, w: Array) -> Array:
    """Strides 2 and 1, pad 1 before the first axis."""
    batch, _, rows, columns = x.shape
    outputs, (tall, wide) = w.shape[1], w.shape[2:]
    y = np.full((batch, outputs, 2 * rows - 2 + tall, columns - 1 + wide), Fraction(0), object)
    for i in range(rows):
        for j in range(columns):
            part = np.tensordot(x[:, :, i, j], w, (1, 0))
            y[:, :, 2 * i : 2 * i + tall, j : j + wide] += part
    return y[:, :, 1:]


def average_pool(x: Array) -> Array:
    """Windows of 2 by 3 with a pad of 1 before the rows; pads do not count."""
    rows, columns = x.shape[2:]
    y = np.full((*x.shape[:2], rows, columns - 2), Fraction(0), object)
    for i in range(rows):
        for j in range(columns - 2):
            part = x[:, :, max(i - 1, 0) : i + 1, j : j + 3]
            y[:, :, i, j] = part.sum(axis=(2, 3)) / (part.shape[2] * part.shape[3])
    return y


def f32(value: float) -> Fraction:
    return Fraction(float(F(value)))


PLAIN = {"x": (6, 20)}
PAIR = {"a": (6, 1, 5), "b": (4, 5)}
CASES: Mapping[str, tuple[Graph, Exact]] = {
    "Abs": (Graph("Abs", PLAIN), abs),
    "Add": (Graph("Add", PAIR), lambda a, b: a + b),
    "AveragePool": (
        Graph(
            "AveragePool",
            {"x": (1, 2, 5, 6)},
            attributes={"kernel_shape": [2, 3], "pads": [1, 0, 0, 0]},
        ),
        average_pool,
    ),
    "ConvTranspose": (
        Graph(
            "ConvTranspose",
            {"x": (1, 3, 3, 4), "w": (3, 2, 3, 2)},
            attributes={"strides": [2, 1], "pads": [1, 0, 0, 0]},
        ),
        conv_transpose,
    ),
    "Gemm": (
        Graph("Gemm", {"a": (7, 5), "b": (7, 6)}, attributes={"transA": 1, "alpha": 0.3}),
        lambda a, b: a.T.dot(b) * f32(0.3),
    ),
    "GlobalAveragePool": (
        Graph("GlobalAveragePool", {"x": (3, 20, 3, 5)}),
        lambda x: x.sum(axis=(2, 3), keepdims=True) / 15,
    ),
    "LeakyRelu": (
        Graph("LeakyRelu", PLAIN, attributes={"alpha": 0.1}),
        lambda x: np.where(x < 0, x * f32(0.1), x),
    ),
    "MatMul": (Graph("MatMul", {"a": (2, 6, 9), "b": (9, 5)}), lambda a, b: a.dot(b)),
    "Mean": (Graph("Mean", PAIR), lambda a, b: (a + b) / 2),
    "Mul": (Graph("Mul", PAIR), lambda a, b: a * b),
    "ReduceMean": (
        Graph("ReduceMean", {"x": (4, 7, 20)}, [("a", np.array([1], np.int64))]),
        lambda x: x.sum(axis=1, keepdims=True) / 7,
    ),
    "ReduceSum": (
        Graph("ReduceSum", {"x": (4, 7, 20)}, [("a", np.array([1], np.int64))]),
        lambda x: x.sum(axis=1, keepdims=True),
    ),
    "Sub": (Graph("Sub", PAIR), lambda a, b: a - b),
    "ThresholdedRelu": (
        Graph("ThresholdedRelu", PLAIN, attributes={"alpha": 0.5}),
        lambda x: x * (x > Fraction(1, 2)),
    ),
}


# Quotients by 6, 7 and 15 and products with 0.1 and 0.3 are rounded; others keep the input's steps.
WITHOUT_TIES = {
    *("Abs", "AveragePool", "Gemm", "GlobalAveragePool", "LeakyRelu", "ReduceMean"),
    "ThresholdedRelu",
}


def dequantized(
    graph: Graph, constants: Mapping[str, Array], feeds: Mapping[str, Array]
) -> list[Array]:
    found = []
    for name in graph.codes:
        codes = fractions(feeds[name].astype(np.int64) - int(constants[f"{name}_z"]))
        found.append(codes * Fraction(float(constants[f"{name}_s"])))
    return found


@pytest.mark.backend("ort")
@pytest.mark.parametrize("name", CASES)
def test_one_rounding_of_the_true_value_is_allowed(name: str) -> None:
    graph, exact = CASES[name]
    decided = ties = 0
    for index in range(30):
        rng = np.random.default_rng([70, index])
        kind, dtype = SCALES[index % 5], ("uint8", "int8")[index % 2]
        model, feeds = drawn(graph, rng, kind, dtype)
        constants = {c.name: numpy_helper.to_array(c) for c in model.graph.initializer}
        values = exact(*dequantized(graph, constants, feeds))
        want = rounded(values, float(constants["ys"]), int(constants["yz"]), dtype)
        allowed = Oracle(model).allowed(feeds)["y"]
        assert np.all((allowed.low <= want) & (want <= allowed.high)), (name, index)
        assert np.all(allowed.high - allowed.low <= 1)
        decided += int(np.count_nonzero(allowed.low == allowed.high))
        ties += int(np.count_nonzero(allowed.other != allowed.centre))
        halves = fractional_halves(values, float(constants["ys"]))
        assert np.all(halves[allowed.other != allowed.centre])
    assert decided > 0
    assert ties > 0 or name in WITHOUT_TIES


def fractional_halves(values: Array, step: float) -> Array:
    found = [(each / Fraction(step)) % 1 == Fraction(1, 2) for each in values.ravel()]
    return np.array(found).reshape(values.shape)


class TestQuantizeFamily:
    """Every code type and granularity, each element by itself."""

    @pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint4", "int4"])
    @pytest.mark.parametrize("granularity", ["tensor", "axis", "last axis", "blocks"])
    def test_quantize_and_dequantize(self, dtype: str, granularity: str) -> None:
        code_type = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(_number(dtype)))
        for index, kind in enumerate(SCALES * 3):
            rng = np.random.default_rng([71, index])
            shape, attributes, spread = _granularity(granularity)
            scales = np.array([scale(rng, kind, -4, 0) for _ in range(int(np.prod(shape)))])
            zeros = rng.integers(-4, 4, shape) + (8 if dtype.startswith("u") else 0)
            each = spread(scales.reshape(shape).astype(np.float64))
            x = (rng.integers(-40, 40, (3, 4, 5)) / 2 * each).astype(F)
            order = [("x", None), ("s", scales.reshape(shape)), ("z", zeros.astype(code_type))]
            model = asked("QuantizeLinear", {"x": x}, order, domain="", **attributes)
            q = Oracle(model).allowed({"x": x})["o0"]
            want = _exact_codes(x, each, spread(zeros), dtype)
            assert q.dtype == code_type
            assert np.all((q.low <= want) & (want <= q.high))
            assert np.all(q.high - q.low <= 1)
            if kind == "power":
                assert np.array_equal(q.low, want)
                assert np.array_equal(q.high, want)
            codes = want.astype(code_type)
            model = asked("DequantizeLinear", {"x": codes}, order, domain="", **attributes)
            d = Oracle(model).allowed({"x": codes})["o0"]
            real = ((want - spread(zeros)) * each).astype(F)
            assert np.all((d.low <= real) & (real <= d.high))
            assert np.all(d.high - d.low <= np.abs(real) * 2.0**-22)


def _number(dtype: str) -> int:
    return int(getattr(onnx.TensorProto, dtype.upper()))


def _granularity(
    name: str,
) -> tuple[tuple[int, ...], dict[str, Any], Callable[[Array], Array]]:
    """Shape of the parameters, attributes, and how they spread over ``(3, 4, 5)``."""
    if name == "tensor":
        return (), {}, lambda p: np.broadcast_to(p, (3, 4, 5))
    if name == "axis":
        return (4,), {"axis": 1}, lambda p: np.broadcast_to(p[:, None], (3, 4, 5))
    if name == "last axis":
        return (5,), {"axis": -1}, lambda p: np.broadcast_to(p, (3, 4, 5))
    return (
        (3, 4, 3),
        {"axis": 2, "block_size": 2},
        lambda p: np.repeat(p, 2, axis=2)[:, :, :5],
    )


def _exact_codes(x: Array, scales: Array, zeros: Array, dtype: str) -> Array:
    info = onnx.helper.tensor_dtype_to_np_dtype(_number(dtype))
    bits = int("".join(c for c in dtype if c.isdigit()))
    least = 0 if dtype.startswith("u") else -(2 ** (bits - 1))
    assert info is not None
    codes = [
        min(
            max(round(Fraction(float(v)) / Fraction(float(s))) + int(z), least),
            least + 2**bits - 1,
        )
        for v, s, z in zip(x.ravel(), scales.ravel(), zeros.ravel(), strict=True)
    ]
    return np.array(codes).reshape(x.shape)


def test_dynamic_quantization_allows_the_exact_answer() -> None:
    """Scale, zero point and codes as rationals, and a tensor of which all is 0."""
    for index in range(60):
        rng = np.random.default_rng([72, index])
        x = (rng.integers(-200 * (index % 3), 200, 40) / 4).astype(F) * scale(
            rng, "decimal", -3, 3
        )
        model = asked("DynamicQuantizeLinear", {"x": x}, [("x", None)], domain="", outputs=3)
        y, s, z = Oracle(model).allowed({"x": x}).values()
        least, most = min(Fraction(0), *fractions(x)), max(Fraction(0), *fractions(x))
        step = (most - least) / 255
        assert s.low <= float(step) <= s.high
        assert s.high - s.low < float(step) * 2.0**-20
        zero = round(-least / step)
        assert z.low <= zero <= z.high
        codes = [min(max(round(each / step) + zero, 0), 255) for each in fractions(x)]
        assert np.all((y.low <= codes) & (codes <= y.high))
    nothing = np.zeros(4, F)
    y, s, z = Oracle(model).allowed({"x": nothing}).values()
    assert (float(z.low), float(z.high)) == (0.0, 255.0)
    assert is_open(y)
    assert is_open(s)


def is_open(allowed: Allowed) -> bool:
    """Whether a set says nothing."""
    return bool((allowed.high - allowed.low >= 255).all())
