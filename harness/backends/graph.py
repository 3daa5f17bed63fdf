"""Reading an ONNX graph: who makes a tensor, who reads it, what is constant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import AttributeProto, TensorProto, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx

    from harness.backends.protocol import Array

RAW_DTYPES = {
    TensorProto.FLOAT: "<f4",
    TensorProto.UINT8: "|u1",
    TensorProto.INT8: "|i1",
    TensorProto.INT32: "<i4",
    TensorProto.INT64: "<i8",
    TensorProto.DOUBLE: "<f8",
}


def node_id(node: onnx.NodeProto) -> str:
    """The name a person can find a node by: its own, else its first output's."""
    return str(node.name or node.output[0])


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attribute values by name: whole numbers, lists of them, text and reals; others are left out."""
    return {each.name: _value(each) for each in node.attribute if each.type in (1, 2, 3, 7)}


def _value(attribute: onnx.AttributeProto) -> Any:
    if attribute.type == AttributeProto.INTS:
        return list(attribute.ints)
    if attribute.type == AttributeProto.INT:
        return attribute.i
    return attribute.f if attribute.type == AttributeProto.FLOAT else attribute.s.decode()


def array_of(tensor: onnx.TensorProto) -> Array:
    """An initializer's values; ``raw_data`` is viewed, not copied."""
    dtype = RAW_DTYPES.get(tensor.data_type)
    if dtype is None or not tensor.HasField("raw_data"):
        values: Array = numpy_helper.to_array(tensor)
    else:
        values = np.frombuffer(tensor.raw_data, dtype).reshape(tuple(tensor.dims))
    return values


class Graph:
    """Indices over one graph: ``nodes``, ``constants``, ``inputs`` (some int8), ``outputs``."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.constants = {each.name: each for each in graph.initializer}
        self.inputs = [each.name for each in graph.input if each.name not in self.constants]
        self.outputs = [each.name for each in graph.output]
        self.int8_inputs = {
            each.name
            for each in graph.input
            if each.type.tensor_type.elem_type == TensorProto.INT8
        }
        self._makers = {name: node for node in self.nodes for name in node.output if name}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                if name:
                    self._readers.setdefault(name, []).append(node)

    def maker(self, tensor: str) -> onnx.NodeProto | None:
        """The node that computes a tensor; None for inputs and constants."""
        return self._makers.get(tensor)

    def readers(self, tensor: str) -> list[onnx.NodeProto]:
        """The nodes that read a tensor, in order."""
        return self._readers.get(tensor, [])

    def constant(self, tensor: str) -> Array | None:
        """The values of an initializer, or None."""
        found = self.constants.get(tensor)
        return None if found is None else array_of(found)

    def between(self, inputs: Iterable[str], outputs: Iterable[str]) -> list[str]:
        """Ids of the nodes on the way back from ``outputs`` to ``inputs``, in graph order."""
        edge, seen, stack = set(inputs), set(), list(outputs)
        while stack:
            node = self._makers.get(stack.pop())
            if node is not None and node_id(node) not in seen:
                seen.add(node_id(node))
                stack += [name for name in node.input if name and name not in edge]
        return [node_id(node) for node in self.nodes if node_id(node) in seen]
