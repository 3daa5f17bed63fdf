"""The graph as the oracle reads it: nodes with plain attributes, constants as arrays on demand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import numpy_helper

from corpus.case import Array, node_id
from harness.oracle.values import Silent

ELEMENT_TYPES: Mapping[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    17: np.dtype(ml_dtypes.float8_e4m3fn),
    18: np.dtype(ml_dtypes.float8_e4m3fnuz),
    19: np.dtype(ml_dtypes.float8_e5m2),
    20: np.dtype(ml_dtypes.float8_e5m2fnuz),
    21: np.dtype(ml_dtypes.uint4),
    22: np.dtype(ml_dtypes.int4),
    23: np.dtype(ml_dtypes.float4_e2m1fn),
    25: np.dtype(ml_dtypes.uint2),
    26: np.dtype(ml_dtypes.int2),
}
_PACKED = (21, 22, 23, 25, 26)  # several codes a byte


_LITTLE_ENDIAN = {
    number: dtype if number in _PACKED else dtype.newbyteorder("<")
    for number, dtype in ELEMENT_TYPES.items()
}
_EXTERNAL = int(onnx.TensorProto.EXTERNAL)
_GRAPH = onnx.AttributeProto.GRAPH


@dataclass(frozen=True, slots=True)
class Node:
    """One operator: ``id`` is what a person finds it by; ``opset`` the version of its domain.

    ``inputs`` end with the tensors that its branches read from around them.
    """

    id: str
    op: str
    opset: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def where(self) -> str:
        """Words for messages."""
        return f"{self.op} {self.id!r}"

    def input(self, index: int) -> str:
        """The name of an input, empty where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in the model's (topological) order, constants still as protos."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, onnx.TensorProto]


def read_graph(model: onnx.ModelProto) -> Graph:
    """The graph of a model; attributes are read, tensors are not."""
    opsets = {each.domain: each.version for each in model.opset_import}
    return _graph(model.graph, opsets)


def _graph(graph: onnx.GraphProto, opsets: Mapping[str, int]) -> Graph:
    return Graph(
        tuple([each.name for each in graph.input]),
        tuple([each.name for each in graph.output]),
        tuple([_node(each, opsets) for each in graph.node]),
        {each.name: each for each in graph.initializer},
    )


def read_tensor(tensor: onnx.TensorProto) -> Array:
    """The array of a constant.

    Raises:
        Silent: data outside the model, or a type that the oracle does not judge.
    """
    dtype = _LITTLE_ENDIAN.get(tensor.data_type)
    if dtype is None:
        raise Silent(f"type {tensor.data_type} is not judged", f"constant {tensor.name!r}")
    if tensor.data_location == _EXTERNAL:
        raise Silent("its data lies outside the model", f"constant {tensor.name!r}")
    raw = tensor.raw_data
    if raw and tensor.data_type not in _PACKED:
        return np.frombuffer(raw, dtype).reshape(tuple(tensor.dims))
    return np.asarray(numpy_helper.to_array(tensor))


def _node(proto: onnx.NodeProto, opsets: Mapping[str, int]) -> Node:
    op, opset = proto.op_type, opsets.get("", opsets.get("ai.onnx", 1))
    if proto.domain not in ("", "ai.onnx"):
        op = f"{proto.domain}::{op}"
    attributes = {each.name: _attribute(each) for each in proto.attribute}
    inputs = tuple(proto.input)
    if any(each.type == _GRAPH for each in proto.attribute):
        branches = {e.name: _graph(e.g, opsets) for e in proto.attribute if e.type == _GRAPH}
        attributes |= branches
        read = dict.fromkeys(name for each in branches.values() for name in _captured(each))
        inputs = (*inputs, *(name for name in read if name not in inputs))
    return Node(node_id(proto), op, opset, inputs, tuple(proto.output), attributes)


def _captured(graph: Graph) -> list[str]:
    """The tensors that a branch reads and does not hold."""
    own = {name for node in graph.nodes for name in node.outputs}.union(graph.constants)
    read = [name for node in graph.nodes for name in node.inputs] + list(graph.outputs)
    return [name for name in read if name and name not in own]


_ATTRIBUTES: Mapping[int, Callable[[onnx.AttributeProto], Any]] = {
    onnx.AttributeProto.FLOAT: lambda proto: proto.f,
    onnx.AttributeProto.INT: lambda proto: proto.i,
    onnx.AttributeProto.STRING: lambda proto: proto.s,
    onnx.AttributeProto.TENSOR: lambda proto: proto.t,
    onnx.AttributeProto.INTS: lambda proto: tuple(proto.ints),
}


def _attribute(proto: onnx.AttributeProto) -> Any:
    read = _ATTRIBUTES.get(proto.type)
    return read(proto) if read else None
