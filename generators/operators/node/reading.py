"""A model read as one node with conversions around it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from corpus.case import Array, Case

CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear"})
CONVERSION_ATTRIBUTES = frozenset(
    {"axis", "block_size", "output_dtype", "precision", "saturate"}
)
_NAMES = {TensorProto.UINT4: "uint4", TensorProto.INT4: "int4"}


class OtherModelError(Exception):
    """The model is not what the reader looks for."""


def require(condition: bool) -> None:
    """Raise ``OtherModelError`` unless the model is as expected here."""
    if not condition:
        raise OtherModelError


@dataclass(frozen=True, slots=True)
class Parameters:
    """The scales and zero points of one conversion, flat, and where they lie."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None
    block_size: int
    dtype: str
    zero_written: bool

    def agrees(self, other: "Parameters") -> bool:
        """Whether two conversions undo each other."""
        return (self.scales, self.zero_points, self.axis, self.block_size, self.dtype) == (
            other.scales,
            other.zero_points,
            other.axis,
            other.block_size,
            other.dtype,
        )


class Reader:
    """One model, indexed; ``covered`` holds the nodes understood so far."""

    def __init__(self, case: Case) -> None:
        model = case.proto()
        graph = model.graph
        require(not model.functions)
        versions = [
            each.version for each in model.opset_import if each.domain in ("", "ai.onnx")
        ]
        require(bool(versions))
        self.opset = max(versions)
        self.inputs = case.inputs
        self.constants: dict[str, Array] = {
            each.name: _array(each) for each in graph.initializer
        }
        self.nodes = [node for node in graph.node if not self._keep_constant(node)]
        self.producers = {name: node for node in self.nodes for name in node.output}
        self.outputs = {each.name: each for each in graph.output}
        self.readers = Counter(name for node in self.nodes for name in node.input if name)
        self.covered: set[int] = set()
        self.spelled: set[str] = set()
        self._require_plain(graph)

    def _require_plain(self, graph: GraphProto) -> None:
        given = {each.name for each in graph.input} - self.constants.keys()
        require(given <= self.inputs.keys() and len(self.outputs) == len(graph.output))

    def _keep_constant(self, node: NodeProto) -> bool:
        if node.op_type != "Constant" or node.attribute[0].name != "value":
            return False
        self.constants[node.output[0]] = _array(node.attribute[0].t)
        return True

    def cover(self, node: NodeProto) -> NodeProto:
        """Mark a node as understood."""
        self.covered.add(id(node))
        return node

    def value(self, name: str) -> Array:
        """The array of a constant or of a graph input."""
        require(name in self.constants or name in self.inputs)
        return self.constants[name] if name in self.constants else self.inputs[name]

    def constant(self, name: str) -> Array:
        """The value of an initializer or a Constant."""
        require(name in self.constants)
        return self.constants[name]

    def maker(self, name: str, op: str) -> NodeProto | None:
        """The node of that operator that makes a tensor."""
        node = self.producers.get(name)
        return node if node is not None and node.op_type == op and not node.domain else None

    def only_reader(self, name: str) -> NodeProto:
        """The one node that reads a tensor, which is no output of the graph."""
        require(self.readers[name] == 1 and name not in self.outputs)
        return next(node for node in self.nodes if name in node.input)

    def parameters(self, node: NodeProto) -> Parameters:
        """Those of a QuantizeLinear or DequantizeLinear, which is understood hereby."""
        self.cover(node)
        given = attributes(node)
        self._note_spelled(node, given)
        written = len(node.input) > 2 and bool(node.input[2])
        zero = self.constant(node.input[2]) if written else None
        if node.op_type == "DequantizeLinear":
            dtype = self._type_of_codes(node.input[0])
        elif zero is not None:
            dtype = zero.dtype.name
        else:
            code = given.get("output_dtype") or TensorProto.UINT8
            dtype = _NAMES.get(code, "") or helper.tensor_dtype_to_np_dtype(code).name
        return self.pair(node.input[1], zero, dtype, given)

    def _note_spelled(self, node: NodeProto, given: dict[str, Any]) -> None:
        """Keep which attributes say what holds anyway; others of the newest are not read."""
        require(not given.keys() - CONVERSION_ATTRIBUTES)
        require(given.get("saturate", 1) == 1)
        float32 = (0, TensorProto.FLOAT)
        require(given.get("precision", 0) in float32)
        is_made = node.op_type == "QuantizeLinear"
        require(is_made or given.get("output_dtype", 0) in float32)
        found = set(given) & {"saturate", "precision"}
        if "output_dtype" in given and (not is_made or len(node.input) > 2):
            found.add("output_dtype")
        if given.get("block_size") == 0:
            found.add("block_size")
        scale = self.constants.get(node.input[1])
        if scale is not None and scale.ndim == 0 and "axis" in given:
            found.add("axis")
        self.spelled |= found

    def pair(
        self, scale: str, zero: Array | None, dtype: str, given: dict[str, Any]
    ) -> Parameters:
        """The parameters in a scale and a zero point."""
        scales = self.constant(scale)
        require(scales.dtype == np.float32 and scales.size > 0)
        zeros = np.zeros(scales.shape, np.int64) if zero is None else zero.astype(np.int64)
        require(zeros.shape == scales.shape or zeros.size == scales.size == 1)
        block = int(given.get("block_size", 0))
        axis = None if scales.ndim == 0 and not block else int(given.get("axis", 1))
        return Parameters(
            tuple(scales.reshape(-1).tolist()),
            tuple(zeros.reshape(-1).tolist()),
            axis if scales.size > 1 or block else None,
            block,
            dtype,
            zero is not None,
        )

    def _type_of_codes(self, name: str) -> str:
        if name in self.constants or name in self.inputs:
            return self.value(name).dtype.name
        node = self.maker(name, "QuantizeLinear")
        require(node is not None)
        assert node is not None
        return self.parameters(node).dtype


def _array(tensor: TensorProto) -> Array:
    array: Array = numpy_helper.to_array(tensor)
    if tensor.data_type in _NAMES and array.dtype.name not in _NAMES.values():
        array = array.astype(getattr(ml_dtypes, _NAMES[tensor.data_type]))
    return array


def attributes(node: NodeProto) -> dict[str, Any]:
    """A node's attributes as Python values: strings decoded, lists as tuples."""
    given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    return {name: _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return tuple(value) if isinstance(value, list) else value
