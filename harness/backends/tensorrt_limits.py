"""What TensorRT documents that it does not import: operators, zero points, types of codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from harness.backends.graph import Graph, node_id

if TYPE_CHECKING:
    import onnx

LIMITS = [
    "explicit quantization: QuantizeLinear and DequantizeLinear alone",
    "codes of type int8, float8e4m3fn or int4; every zero point 0",
    "values of type float32, float16, bfloat16, int8, int32, int64 or bool at the graph's borders",
]
CODES = (TensorProto.INT8, TensorProto.FLOAT8E4M3FN, TensorProto.INT4)
BORDER = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.INT8,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.BOOL,
)
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")
# Marked N in the table of operators of its ONNX parser.
NOT_IMPORTED = (
    "ConvInteger",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
)


def unclaimed(model: onnx.ModelProto) -> str:
    """Why TensorRT does not claim the model, in one line; empty where nothing speaks against it."""
    graph = Graph(model.graph)
    for node in graph.nodes:
        reason = _of_node(graph, node)
        if reason:
            return f"{node.op_type} {node_id(node)}: {reason}"
    for info in (*model.graph.input, *model.graph.output):
        kind = info.type.tensor_type.elem_type
        if info.name not in graph.constants and kind not in BORDER:
            return f"{info.name}: {_name(kind)} is no type of TensorRT's inputs and outputs"
    return ""


def _of_node(graph: Graph, node: onnx.NodeProto) -> str:
    if node.domain not in ("", "ai.onnx"):
        return f"operators of domain {node.domain} are not imported"
    if node.op_type in NOT_IMPORTED:
        return "not imported; write it with QuantizeLinear and DequantizeLinear"
    return _of_conversion(graph, node) if node.op_type in CONVERSIONS else ""


def _of_conversion(graph: Graph, node: onnx.NodeProto) -> str:
    """A zero point of 0, of a type that TensorRT quantizes to; left out it would be of type uint8."""
    name = node.input[2] if len(node.input) > 2 else ""
    if not name:
        return "" if node.op_type == "DequantizeLinear" else _of_quantize(node)
    point = graph.constants.get(name)
    if point is None:
        return f"its zero point {name} is no constant"
    if point.data_type not in CODES:
        return f"codes of type {_name(point.data_type)} are not taken"
    values = graph.constant(name)
    if values is not None and np.any(values.astype(np.float32)):
        return f"its zero point {name} is not 0"
    return ""


def _of_quantize(node: onnx.NodeProto) -> str:
    kind = next((each.i for each in node.attribute if each.name == "output_dtype"), 0)
    kind = kind or TensorProto.UINT8
    return "" if kind in CODES else f"codes of type {_name(kind)} are not taken"


def _name(kind: int) -> str:
    return str(TensorProto.DataType.Name(kind)).lower()
