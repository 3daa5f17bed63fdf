"""Small products written by hand: as one operator on codes, or between Q and D; node "m1", input "a"."""

from typing import Any

import numpy as np
import onnx

from tests.engine.models import Array, graph_model, scalar_or_row

COLUMNS = 5
SIGNED = np.random.default_rng(3).integers(-128, 128, (7, COLUMNS)).astype(np.int8)
UNSIGNED = SIGNED.view(np.uint8)
SQUARE = np.random.default_rng(4).integers(-128, 128, (8, 8)).astype(np.int8)
SMALL = (SIGNED // 32).astype(np.int8)
HALVES = np.abs(SIGNED // 2)
VARIED: dict[str, Any] = {"b_scale": np.linspace(0.01, 0.1, COLUMNS)}
SQUARE_ROW = np.linspace(0.01, 0.1, 8)


def codes(*shape: int, dtype: Any = np.uint8) -> Array:
    info = np.iinfo(dtype)
    return np.random.default_rng(5).integers(info.min, info.max + 1, shape).astype(dtype)


def product(
    b: Array,
    *,
    a_zero: int = 3,
    a_dtype: Any = np.uint8,
    b_scale: Any = 0.01,
    b_zero: Any = 0,
    y: tuple[float, int] = (0.5, 100),
    shape: tuple[int, ...] = (4,),
    a_scale: float = 0.02,
) -> onnx.ModelProto:
    """A QLinearMatMul "m1" of codes "a" of (*shape, K)."""
    constants: dict[str, Any] = {
        "as": np.float32(a_scale),
        "az": np.array(a_zero, a_dtype),
        "b": b,
        "bs": scalar_or_row(b_scale, np.float32),
        "bz": scalar_or_row(b_zero, b.dtype),
        "ys": np.float32(y[0]),
        "yz": np.array(y[1], a_dtype),
    }
    node = onnx.helper.make_node("QLinearMatMul", ["a", *constants], ["y"], name="m1")
    given = {"a": (a_dtype, [*shape, b.shape[0]])}
    return graph_model([node], given, {"y": a_dtype}, constants, 21)


def qgemm(b: Array, bias: Array | None = None, **attributes: Any) -> onnx.ModelProto:
    """A QGemm "m1" of 4 rows, y in steps of 0.5 from 100."""
    constants: dict[str, Any] = {
        "as": np.float32(0.02),
        "az": np.uint8(3),
        "b": b,
        "bs": np.float32(0.01),
        "bz": np.int8(0),
        "c": np.zeros(1, np.int32) if bias is None else bias.astype(np.int32),
        "ys": np.float32(0.5),
        "yz": np.uint8(100),
    }
    inputs = ["a", *(each if bias is not None or each != "c" else "" for each in constants)]
    node = onnx.helper.make_node(
        "QGemm", inputs, ["y"], name="m1", domain="com.microsoft", **attributes
    )
    if bias is None:
        del constants["c"]
    depth = b.shape[1 if attributes.get("transB") else 0]
    model = graph_model([node], {"a": (np.uint8, [4, depth])}, {"y": np.uint8}, constants, 21)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return model


def gemm(
    b: Array,
    *,
    b_scale: Any = 0.01,
    axis: int = 1,
    bias: bool = False,
    after: tuple[str, ...] = (),
    y: tuple[float, Any] = (0.5, np.uint8(100)),
    a_zero: int = 3,
    **attributes: Any,
) -> onnx.ModelProto:
    """D, D -> Gemm "m1" -> Relu or Clip to [0, 6] -> Q "q"; uint8 activations."""
    constants: dict[str, Any] = {
        "as": np.float32(0.02),
        "az": np.uint8(a_zero),
        "b": b,
        "bs": scalar_or_row(b_scale, np.float32),
        "c": np.arange(b.shape[1], dtype=np.int32) * 3000 + 1000,
        "cs": np.float32(0.02) * np.float32(0.01),
        "ys": np.float32(y[0]),
        "yz": y[1],
        "low": np.float32(0),
        "high": np.float32(6),
    }
    make = onnx.helper.make_node
    nodes = [
        make("DequantizeLinear", ["a", "as", "az"], ["ar"], name="da"),
        make("DequantizeLinear", ["b", "bs"], ["br"], name="db", axis=axis),
        *([make("DequantizeLinear", ["c", "cs"], ["cr"], name="dc")] if bias else []),
        make("Gemm", ["ar", "br", *(["cr"] if bias else [])], ["g"], name="m1", **attributes),
    ]
    last = "g"
    for op in after:
        bounds = ["low", "high"] if op == "Clip" else []
        nodes.append(make(op, [last, *bounds], ["t"], name="t1"))
        last = "t"
    nodes.append(make("QuantizeLinear", [last, "ys", "yz"], ["y"], name="q"))
    given = {"a": (np.uint8, [4, b.shape[0]])}
    return graph_model(nodes, given, {"y": y[1].dtype}, constants, 21)


def with_float_bias(b_scale: float) -> onnx.ModelProto:
    """D, D -> MatMul "m1" -> Add of a bias in steps of 2."""
    constants: dict[str, Any] = {
        "as": np.float32(0.5),
        "az": np.uint8(3),
        "b": SIGNED,
        "bs": np.float32(b_scale),
        "bias": np.arange(COLUMNS, dtype=np.float32) * 2,
    }
    make = onnx.helper.make_node
    nodes = [
        make("DequantizeLinear", ["a", "as", "az"], ["ar"], name="da"),
        make("DequantizeLinear", ["b", "bs"], ["br"], name="db"),
        make("MatMul", ["ar", "br"], ["p"], name="m1"),
        make("Add", ["p", "bias"], ["y"], name="add"),
    ]
    given = {"a": (np.uint8, [4, SIGNED.shape[0]])}
    return graph_model(nodes, given, {"y": np.float32}, constants, 21)
