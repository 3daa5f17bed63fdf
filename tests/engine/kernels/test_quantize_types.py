"""Granularities and number types of QuantizeLinear and DequantizeLinear, element by element."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine import EngineError, InvalidModel, Session, Unsupported
from engine.kernels.number_types import FLOAT_CODES, INTEGER_CODES, largest
from tests.engine.models import Array, element_type

F32, F16, BF16 = np.float32, np.float16, ml_dtypes.bfloat16
R = np.random.default_rng(5)
SHAPE = (3, 5, 4)
CASES = [
    ((), {}),
    ((1,), {}),
    ((3,), {"axis": 0}),
    ((5,), {}),
    ((4,), {"axis": -1}),
    ((3, 5, 2), {"axis": 2, "block_size": 2}),
    ((3, 5, 2), {"axis": -1, "block_size": 3}),
    ((3, 2, 4), {"block_size": 3}),
    ((1, 5, 4), {"axis": 0, "block_size": 2**40}),
    ((3, 5, 4), {"axis": -3, "block_size": 1}),
]


def model(
    op: str,
    x: Any,
    y: Any,
    constants: Mapping[str, Any],
    given: Mapping[str, Any] | None = None,
    opset: int = 28,
    **how: Any,
) -> onnx.ModelProto:
    """x, s[, z] -> node "n" -> y; ``given`` are the types of what is no constant."""
    given = {"x": x, **(given or {})}
    names = ["x", *(name for name in ("s", "z") if name in constants or name in given)]
    node = helper.make_node(op, names, ["y"], name="n", **how)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info(k, element_type(t), None) for k, t in given.items()],
        [helper.make_tensor_value_info("y", element_type(y), None)],
        [numpy_helper.from_array(np.asarray(each), name) for name, each in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    if how.get("domain"):
        opsets.append(helper.make_opsetid(how["domain"], 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=11)


def parameter_at(parameter: Array, place: tuple[int, ...], how: dict[str, int]) -> Any:
    """The standard's text: which parameter belongs to an element."""
    if parameter.size == 1 and "block_size" not in how:
        return parameter.reshape(-1)[0]
    axis = how.get("axis", 1) % len(SHAPE)
    if "block_size" not in how:
        return parameter[place[axis]]
    block = list(place)
    block[axis] //= how["block_size"]
    return parameter[tuple(block)]


@pytest.mark.parametrize(("shape", "how"), CASES)
@pytest.mark.parametrize("dtype", sorted(INTEGER_CODES, key=str))
def test_every_granularity_of_every_integer_type(
    dtype: Any, shape: tuple[int, ...], how: dict[str, Any]
) -> None:
    low, high = INTEGER_CODES[dtype]
    scale = np.asarray(R.uniform(0.1, 2, shape) * R.choice([1, -1], shape), F32)
    zero = np.asarray(R.integers(low, high + 1, shape), np.int32).astype(dtype)
    parts = {"s": scale, "z": zero}
    x = (R.uniform(low - 3, high + 3, SHAPE) * R.choice([0.3, 1, 2])).astype(F32)
    q = Session(model("QuantizeLinear", F32, dtype, parts, **how)).run({"x": x})["y"]
    back = Session(model("DequantizeLinear", dtype, F32, parts, **how)).run({"x": q})["y"]
    assert q.dtype == dtype
    assert back.dtype == np.float32
    for place in product(*map(range, SHAPE)):
        s, z = (parameter_at(each, place, how) for each in (scale, zero))
        wanted = round(Fraction(float(x[place] / s))) + int(z)
        assert int(q[place]) == min(max(wanted, low), high)
        assert back[place] == F32(int(q[place]) - int(z)) * s


@pytest.mark.parametrize("dtype", sorted(FLOAT_CODES, key=str))
def test_float_codes(dtype: Any) -> None:
    scale = np.array([0.5, 3, 0.1, 7, 1], F32)
    x = (R.normal(size=SHAPE) * 9).astype(F32)
    quantize = model(
        "QuantizeLinear", F32, dtype, {"s": scale}, output_dtype=element_type(dtype)
    )
    q = Session(quantize).run({"x": x})["y"]
    assert q.dtype == dtype
    top = largest(dtype)
    steps = np.clip(x / scale.reshape(1, 5, 1), -top, top)
    assert q.tobytes() == steps.astype(dtype).tobytes()
    y = Session(model("DequantizeLinear", dtype, F32, {"s": scale})).run({"x": q})["y"]
    assert (y == q.astype(F32) * scale.reshape(1, 5, 1)).all()


def test_saturate_decides_what_is_out_of_range() -> None:
    x = np.array([1e9, -1e9, np.inf, np.nan], F32)
    how = {"output_dtype": TensorProto.FLOAT8E5M2}
    parts = {"s": np.array(1, F32)}
    kept, given_up = (
        Session(
            model("QuantizeLinear", F32, ml_dtypes.float8_e5m2, parts, saturate=each, **how)
        )
        .run({"x": x})["y"]
        .astype(F32)
        for each in (1, 0)
    )
    np.testing.assert_array_equal(kept, [57344, -57344, 57344, np.nan])
    np.testing.assert_array_equal(given_up, [np.inf, -np.inf, np.inf, np.nan])


@pytest.mark.parametrize("kind", [F16, BF16])
def test_half_types_divide_and_multiply_in_their_own_precision(kind: Any) -> None:
    x = (R.normal(size=400) * 30).astype(kind)
    scale = np.array(0.3).astype(kind)
    parts = {"s": scale, "z": np.array(5, np.int8)}
    q = Session(model("QuantizeLinear", kind, np.int8, parts)).run({"x": x})["y"]
    steps = np.rint((x.astype(F32) / F32(scale)).astype(kind).astype(F32)) + 5
    assert (q == np.clip(steps, -128, 127)).all()
    y = Session(model("DequantizeLinear", np.int8, kind, parts)).run({"x": q})["y"]
    assert y.dtype == kind
    assert (y == ((q.astype(F32) - 5) * F32(scale)).astype(kind)).all()


def test_precision_and_output_dtype_override_the_scales_type() -> None:
    x = np.linspace(-40, 40, 333, dtype=F32)
    parts = {"s": np.array(0.3, F32)}
    how = {"precision": TensorProto.FLOAT16}
    q = Session(model("QuantizeLinear", F32, np.uint8, parts, **how)).run({"x": x})["y"]
    steps = np.rint(x.astype(F16) / F16(0.3)).astype(F32)
    assert (q == np.clip(steps, 0, 255)).all()
    codes = np.arange(256, dtype=np.uint8)
    back = model("DequantizeLinear", np.uint8, F16, parts, output_dtype=TensorProto.FLOAT16)
    y = Session(back).run({"x": codes})["y"]
    assert (y == (codes.astype(F32) * F32(0.3)).astype(F16)).all()


def test_integers_are_quantized_too() -> None:
    x = np.array([-5, 7, 2**31 - 1, -(2**31), 3], np.int32)
    for scale in (np.array(2, F32), np.array(2, np.int32)):
        run = model(
            "QuantizeLinear", np.int32, np.int16, {"s": scale, "z": np.array(1, np.int16)}
        )
        assert Session(run).run({"x": x})["y"].tolist() == [-1, 5, 32767, -32768, 3]


def test_powers_of_two_as_scales() -> None:
    scale = np.array([0.25, 2], F32).astype(ml_dtypes.float8_e8m0fnu)
    x = np.array([[0.3, 5]], F32)
    q = Session(model("QuantizeLinear", F32, np.uint8, {"s": scale})).run({"x": x})["y"]
    assert q.tolist() == [[1, 2]]
    how = {"output_dtype": TensorProto.FLOAT}
    y = Session(model("DequantizeLinear", np.uint8, F32, {"s": scale}, **how)).run({"x": q})[
        "y"
    ]
    assert y.tolist() == [[0.25, 4]]
    with pytest.raises(InvalidModel, match="a float8_e8m0fnu scale needs output_dtype"):
        Session(model("DequantizeLinear", np.uint8, F32, {"s": scale})).run({"x": q})


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 0), (1, 1, 1)])
def test_no_elements_and_no_dimensions(shape: tuple[int, ...]) -> None:
    parts = {"s": np.array([0.5], F32), "z": np.array([3], np.int8)}
    x = np.full(shape, 1.25, F32)
    q = Session(model("QuantizeLinear", F32, np.int8, parts, opset=13)).run({"x": x})["y"]
    assert (q.shape, q.dtype.name) == (shape, "int8")
    assert (q == 5).all()
    y = Session(model("DequantizeLinear", np.int8, F32, parts, opset=13)).run({"x": q})["y"]
    assert y.shape == shape
    assert (y == 1).all()


def test_computed_parameters_are_checked_in_every_run() -> None:
    quantize = Session(model("QuantizeLinear", F32, np.int8, {}, {"s": F32, "z": np.int8}))
    x, z = np.array([1, 2], F32), np.array(1, np.int8)
    assert quantize.run({"x": x, "s": np.array(0.5, F32), "z": z})["y"].tolist() == [3, 5]
    assert quantize.run({"x": x, "s": np.array(1, F32), "z": z})["y"].tolist() == [2, 3]
    dequantize = Session(model("DequantizeLinear", np.int8, F32, {}, {"s": F32}))
    for bad in (0, np.nan, -np.inf):
        scale = np.array(bad, F32)
        with pytest.raises(InvalidModel, match="a scale must be finite and not 0"):
            quantize.run({"x": x, "s": scale, "z": z})
        with pytest.raises(InvalidModel, match="DequantizeLinear 'n': its scale is"):
            dequantize.run({"x": np.array([1], np.int8), "s": scale})


def test_the_same_operators_of_onnxruntime() -> None:
    """com.microsoft has an axis in every opset."""
    parts = {"s": np.array([0.5, 1], F32), "z": np.array([0, 1], np.uint8)}
    how: dict[str, Any] = {"opset": 11, "domain": "com.microsoft", "axis": 0}
    x = np.array([[1, 2], [3, 4]], F32)
    q = Session(model("QuantizeLinear", F32, np.uint8, parts, **how)).run({"x": x})["y"]
    assert q.tolist() == [[2, 4], [4, 5]]
    y = Session(model("DequantizeLinear", np.uint8, F32, parts, **how)).run({"x": q})["y"]
    assert (y == x).all()


def test_constants_are_dequantized_once_and_cannot_be_changed() -> None:
    node = helper.make_node("DequantizeLinear", ["x", "s"], ["y"])
    graph = helper.make_graph(
        [node],
        "g",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.array([1, 2], np.int8), "x"),
            numpy_helper.from_array(np.array(0.5, F32), "s"),
        ],
    )
    opset = [helper.make_opsetid("", 13)]
    session = Session(helper.make_model(graph, opset_imports=opset, ir_version=8))
    first, second = session.run({})["y"], session.run({})["y"]
    assert first.tolist() == [0.5, 1]
    assert first is second
    assert not first.flags.writeable


@pytest.mark.parametrize(
    ("x", "parts", "how", "error", "words"),
    [
        (
            np.int8,
            {"z": np.array(1, np.uint8)},
            {},
            InvalidModel,
            "int8, a zero point of type",
        ),
        (np.int64, {}, {}, Unsupported, "codes of type int64"),
        (np.int8, {"s": np.array(1, np.float64)}, {}, Unsupported, "a scale of type float64"),
        (np.int8, {"s": np.array([1, 0], F32)}, {}, InvalidModel, "its scale is 0.0"),
        (np.int8, {"s": np.ones(2, F32)}, {"opset": 10}, InvalidModel, "needs opset 13"),
        (
            np.int8,
            {"s": np.ones((3, 2, 1), F32)},
            {"block_size": 2},
            InvalidModel,
            r"\(3, 3, 4\)",
        ),
        (np.int8, {}, {"output_dtype": 11}, Unsupported, "output_dtype float64"),
    ],
)
def test_refusals_of_dequantize(
    x: Any, parts: dict[str, Array], how: dict[str, Any], error: type[EngineError], words: str
) -> None:
    parts = {"s": np.array(1, F32), **parts}
    with pytest.raises(error, match=words):
        Session(model("DequantizeLinear", x, F32, parts, **how)).run({"x": np.zeros(SHAPE, x)})


def test_refusals_of_computed_zero_points_and_of_data() -> None:
    parts = {"s": np.array(1, F32)}
    computed = model("QuantizeLinear", F32, np.int8, parts, {"z": np.uint8}, output_dtype=3)
    with pytest.raises(InvalidModel, match="output_dtype is int8, the zero point uint8"):
        Session(computed).run({"x": np.zeros(3, F32), "z": np.array(0, np.uint8)})
    with pytest.raises(
        Unsupported, match="float64 data; use float32, float16, bfloat16 or int32"
    ):
        Session(model("QuantizeLinear", np.float64, np.uint8, parts)).run({"x": np.zeros(3)})
