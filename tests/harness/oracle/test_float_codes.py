"""Codes that are floats: nearest of all codes by rationals, overflow by the table, and onnxruntime."""

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from corpus.case import Array
from engine import Session
from harness.oracle import Oracle, judge
from harness.oracle.float_codes import finite
from tests.harness.oracle.agreement import asked, run_onnxruntime
from tests.harness.oracle.models import SCALES, scale

F = np.float32
FLOATS = {
    "float8_e4m3fn": (448, 464),
    "float8_e4m3fnuz": (240, 248),
    "float8_e5m2": (57344, 61440),
    "float8_e5m2fnuz": (57344, 61440),
    "float4_e2m1fn": (6, 7),
}


def dtype_of(name: str) -> np.dtype[Any]:
    found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return found


def arguments(name: str, rng: np.random.Generator, step: F) -> Array:
    """Codes, the middles between them, both an ulp beside, in steps of the scale."""
    known = finite(dtype_of(name))
    points = np.concatenate([known, (known[1:] + known[:-1]) / 2])
    x = (points * float(step)).astype(F)
    beside = [np.nextafter(x, F(np.inf)), np.nextafter(x, F(-np.inf))]
    return np.concatenate([x, *beside, rng.normal(size=50).astype(F) * step])


def quantized(name: str, x: Array, step: F, saturate: int = 1) -> onnx.ModelProto:
    order = [("x", None), ("s", np.asarray(step)), ("z", np.zeros((), dtype_of(name)))]
    return asked("QuantizeLinear", {"x": x}, order, domain="", version=23, saturate=saturate)


def nearest(v: Fraction, known: Array) -> set[float]:
    """The one or two codes that are nearest."""
    distances = [abs(Fraction(float(each)) - v) for each in known]
    least = min(distances)
    return {float(k) for k, d in zip(known, distances, strict=True) if d == least}


@pytest.mark.parametrize("name", FLOATS)
def test_the_nearest_code_is_allowed(name: str) -> None:
    known = finite(dtype_of(name))
    for index, kind in enumerate(SCALES):
        rng = np.random.default_rng([80, index])
        step = scale(rng, kind, -3, 3)
        x = rng.permutation(arguments(name, rng, step))[:150]
        y = Oracle(quantized(name, x, step)).allowed({"x": x})["o0"]
        for v, low, centre, high in zip(x, y.low, y.centre, y.high, strict=True):
            wanted = nearest(Fraction(float(v)) / Fraction(float(step)), known)
            assert any(low <= each <= high for each in wanted)
            assert float(centre) in wanted or low < high
            if len(wanted) == 1 and kind == "power":
                assert {low, high} == wanted
        codes = y.centre.astype(dtype_of(name))
        assert judge(y, codes).kind == "exact"
        wrong = codes.copy()
        place = int(np.searchsorted(known, float(y.centre[3])))
        wrong[3] = known[place + 2 if place < known.size - 2 else place - 2]
        assert judge(y, wrong).max_steps in (1.0, 2.0)


@pytest.mark.parametrize("name", [n for n in FLOATS if n != "float4_e2m1fn"])
def test_what_is_too_large(name: str) -> None:
    """Saturated, or infinity where there is one, or NaN; between the two bounds either."""
    most, middle = FLOATS[name]
    x = np.array([most, (most + middle) / 2, middle * 1.01, np.inf], F)
    x = np.concatenate([x, -x])
    y = Oracle(quantized(name, x, F(1))).allowed({"x": x})["o0"]
    assert y.low.tolist() == y.high.tolist() == [most] * 4 + [-most] * 4
    y = Oracle(quantized(name, x, F(1), saturate=0)).allowed({"x": x})["o0"]
    end = np.inf if name == "float8_e5m2" else np.nan
    right = np.array([most, most, end, end, -most, -most, -end, -end], F)
    assert not judge(y, right.astype(dtype_of(name))).is_wrong
    right[[1, 5]] = end, -end
    assert not judge(y, right.astype(dtype_of(name))).is_wrong
    for place in (0, 2, 3, 4, 6, 7):
        wrong = right.copy()
        wrong[place] = most / 2
        assert judge(y, wrong.astype(dtype_of(name))).wrong == 1


@pytest.mark.parametrize("name", FLOATS)
def test_codes_are_dequantized(name: str) -> None:
    codes = finite(dtype_of(name)).astype(dtype_of(name))
    order = [("x", None), ("s", np.asarray(F(0.3)))]
    model = asked("DequantizeLinear", {"x": codes}, order, domain="", version=23)
    y = Oracle(model).allowed({"x": codes})["o0"]
    want = codes.astype(F) * F(0.3)
    assert np.all((y.low <= want) & (want <= y.high))
    assert np.all(y.high - y.low <= np.abs(want) * 2.0**-22)


@pytest.mark.backend("ort")
@pytest.mark.parametrize("name", [n for n in FLOATS if n != "float4_e2m1fn"])
def test_onnxruntime_is_right(name: str) -> None:
    for index, kind in enumerate(SCALES * 4):
        rng = np.random.default_rng([81, index])
        step = scale(rng, kind, -3, 3)
        x = arguments(name, rng, step)
        model = quantized(name, x, step)
        (found,) = run_onnxruntime(as_float32(model), {"x": x}, "DISABLE_ALL")
        y = Oracle(model).allowed({"x": x})["o0"]
        verdict = judge(y, found.astype(dtype_of(name)))
        assert not verdict.is_wrong, (verdict, kind)


def as_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same codes as float32, which is exact: numpy has no name for some of their types."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    node = helper.make_node("Cast", ["o0"], ["y"], to=TensorProto.FLOAT)
    changed.graph.node.append(node)
    changed.graph.output[0].name = "y"
    return changed


@pytest.mark.parametrize("saturate", [0, 1])
@pytest.mark.parametrize(
    "kind", ["float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz"]
)
def test_what_is_no_number_stays_none(kind: str, saturate: int) -> None:
    to = getattr(onnx.TensorProto, kind.upper())
    x = {"x": np.array([np.nan, 1], np.float32)}
    for computed in (
        f"y = QuantizeLinear <saturate = {saturate}> (x, s, z)",
        f"y = Cast <to = {to}, saturate = {saturate}> (x)",
    ):
        model = onnx.parser.parse_model(f"""<ir_version: 10, opset_import: ["" : 21]>
g (float[2] x) => ({kind}[2] y) <float s = {{1}}, {kind} z = {{0}}> {{ {computed} }}""")
        y = Session(model).run(x)["y"]
        assert np.isnan(y.astype(np.float32)).tolist() == [True, False]
        assert not judge(Oracle(model).allowed(x)["y"], y).is_wrong
