"""ONNX protos made directly, because ``onnx.helper`` costs more than the models we draw."""

import struct
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, ValueInfoProto

from corpus.case import Array

ELEMENT_TYPES = {
    "float32": TensorProto.FLOAT,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "int32": TensorProto.INT32,
}
_TYPES_BY_CHAR = {np.dtype(name).char: each for name, each in ELEMENT_TYPES.items()}
_ZERO_POINT_FORMATS = {"uint8": "<B", "int8": "<b", "int32": "<i"}

# The IR version each opset was released with, from opset 10 on.
_IR_VERSIONS = {10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9}
_IR_VERSIONS |= {21: 10, 22: 10, 23: 11, 24: 12}


def ir_version(opset: int) -> int:
    """The IR version that a model of this opset declares."""
    return _IR_VERSIONS.get(opset, 13 if opset > 24 else 5)


def tensor(name: str, array: Array) -> TensorProto:
    """An initializer of an array of float32, uint8, int8 or int32."""
    return TensorProto(
        name=name,
        data_type=_TYPES_BY_CHAR[array.dtype.char],
        dims=array.shape,
        raw_data=array.tobytes(),
    )


def scale(name: str, values: Sequence[float]) -> TensorProto:
    """A float32 initializer: a scalar for one value, else one value per channel."""
    return TensorProto(
        name=name,
        data_type=TensorProto.FLOAT,
        dims=() if len(values) == 1 else (len(values),),
        raw_data=struct.pack(f"<{len(values)}f", *values),
    )


def zero_point(name: str, dtype: str, values: Sequence[int]) -> TensorProto:
    """A zero-point initializer: a scalar for one value, else one value per channel."""
    code = _ZERO_POINT_FORMATS[dtype]
    raw = struct.pack(code, *values) if len(values) == 1 else np.array(values, dtype).tobytes()
    dims = () if len(values) == 1 else (len(values),)
    return TensorProto(name=name, data_type=ELEMENT_TYPES[dtype], dims=dims, raw_data=raw)


def value_info(name: str, dtype: str, shape: Sequence[int]) -> ValueInfoProto:
    """A typed and shaped graph input or output."""
    value = ValueInfoProto(name=name)
    tensor_type = value.type.tensor_type
    tensor_type.elem_type = ELEMENT_TYPES[dtype]
    add = tensor_type.shape.dim.add
    for size in shape:
        add().dim_value = size
    if not shape:
        tensor_type.shape.SetInParent()
    return value


def node(
    op: str,
    name: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    attributes: Sequence[AttributeProto] = (),
) -> NodeProto:
    """A named node."""
    return NodeProto(op_type=op, name=name, input=inputs, output=outputs, attribute=attributes)


def ints(name: str, values: Sequence[int]) -> AttributeProto:
    """An attribute that is a list of integers."""
    return AttributeProto(name=name, type=AttributeProto.INTS, ints=values)


def integer(name: str, value: int) -> AttributeProto:
    """An attribute that is one integer."""
    return AttributeProto(name=name, type=AttributeProto.INT, i=value)


def real(name: str, value: float) -> AttributeProto:
    """An attribute that is one float32."""
    return AttributeProto(name=name, type=AttributeProto.FLOAT, f=value)


def text(name: str, value: str) -> AttributeProto:
    """An attribute that is a string."""
    return AttributeProto(name=name, type=AttributeProto.STRING, s=value.encode())


def model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    initializers: Sequence[TensorProto],
    opset: int,
) -> onnx.ModelProto:
    """A model of one graph in the standard's domain."""
    graph = onnx.GraphProto(
        name="g", node=nodes, input=inputs, output=outputs, initializer=initializers
    )
    return onnx.ModelProto(
        ir_version=ir_version(opset),
        opset_import=[onnx.OperatorSetIdProto(domain="", version=opset)],
        graph=graph,
    )
