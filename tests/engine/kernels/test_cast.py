"""Cast and CastLike: every pair of number types, and the standard's rules."""

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engine import InvalidModel, Session, Unsupported
from engine.kernels.cast import cast
from tests.engine.models import Array, element_type

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
PACKED = ["int4", "uint4", "int2", "uint2"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
SMALL = [
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float4_e2m1fn",
    "float6_e2m3fn",
    "float6_e3m2fn",
]
EVERY = [*INTEGERS, *PACKED, *FLOATS, *SMALL, "bool", "float8_e8m0fnu"]


def kind(name: str) -> Any:
    return np.dtype(getattr(ml_dtypes, name, name))


def cast_model(source: Any, to: int, opset: int = 28, **more: Any) -> onnx.ModelProto:
    node = helper.make_node("Cast", ["x"], ["y"], name="c", to=to, **more)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", element_type(source), None)],
        [helper.make_tensor_value_info("y", to, None)],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=11)


@pytest.mark.parametrize("target", EVERY)
@pytest.mark.parametrize("source", EVERY)
def test_small_numbers_survive_between_all_types(source: str, target: str) -> None:
    """1 is a number of every type."""
    if "int2" in (source, target) or not {source, target}.isdisjoint(["bool", "int2"]):
        x = np.array([1, 1], np.int8)
    else:
        x = np.array([1, 2], np.int8)
    x = (
        x.astype(np.float32).astype(kind(source))
        if "float" in source
        else x.astype(kind(source))
    )
    model = cast_model(kind(source), element_type(kind(target)))
    y = Session(model).run({"x": x})["y"]
    assert y.dtype == kind(target)
    assert y.astype(np.float64).tolist() == x.astype(np.float64).tolist()
    assert y.shape == x.shape


@pytest.mark.parametrize("target", [*INTEGERS, *PACKED])
def test_integers_lose_their_high_bits(target: str) -> None:
    x = np.array([200, -200, 2**40 + 5, -1, 0, 9], np.int64)
    bits = (
        {"4": 4, "2": 2}.get(target[-1], 0) if target in PACKED else 8 * kind(target).itemsize
    )
    y = cast(x, kind(target)).astype(object)
    for value, got in zip(x.tolist(), y.tolist(), strict=True):
        wrapped = value % 2**bits
        if not target.startswith("u") and wrapped >= 2 ** (bits - 1):
            wrapped -= 2**bits
        assert int(got) == wrapped


def test_fractions_are_cut_off() -> None:
    x = np.array([1.9, -1.9, -0.5, 2.5], np.float32)
    for name in ("int8", "int4", "int32", "int64"):
        assert cast(x, kind(name)).astype(np.int64).tolist() == [1, -1, 0, 2]


def test_what_is_true() -> None:
    x = np.array([0.0, -0.0, 1e-320, np.nan, -3])
    assert cast(x, kind("bool")).tolist() == [False, False, True, True, True]
    assert cast(x != 0, kind("bfloat16")).astype(np.float32).tolist() == [0, 0, 1, 1, 1]


def test_a_cast_to_its_own_type_is_the_array() -> None:
    x = np.arange(3, dtype=np.float32)
    assert cast(x, kind("float32")) is x


def test_out_of_range_floats_are_infinite() -> None:
    x = np.array([1e39, -1e39])
    with np.errstate(over="ignore"):
        for name in ("float32", "float16", "bfloat16"):
            assert cast(x, kind(name)).astype(np.float64).tolist() == [np.inf, -np.inf]


def test_cast_like_takes_the_type_of_its_second_input() -> None:
    node = helper.make_node("CastLike", ["x", "like"], ["y"], saturate=0)
    graph = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("like", TensorProto.FLOAT8E5M2, None),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT8E5M2, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    like: Array = np.zeros(1, kind("float8_e5m2"))
    y = Session(model).run({"x": np.array([1e9, 3], np.float32), "like": like})["y"]
    assert y.astype(np.float32).tolist() == [np.inf, 3]


def test_strings_and_unknown_modes_are_refused() -> None:
    with pytest.raises(Unsupported, match="Cast 'c' to STRING: only types of real numbers"):
        Session(cast_model(np.float32, TensorProto.STRING))
    with pytest.raises(InvalidModel, match="round_mode 'odd'; use up, down or nearest"):
        Session(cast_model(np.float32, TensorProto.FLOAT8E8M0, round_mode="odd"))
