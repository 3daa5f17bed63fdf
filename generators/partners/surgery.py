"""A case under change: constants replaced for one reader only, inputs replaced, shapes kept true."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from corpus.case import Array, Case

ELEMENTWISE = frozenset(
    {
        *("QuantizeLinear", "DequantizeLinear", "Identity"),
        *("Relu", "Clip", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish"),
    }
)
"""Operators that make each element from the same place of their first input, whichever it is."""

INPUTS_ALONE = 4  # the IR version since which an initializer need not be an input as well


@dataclass(frozen=True, slots=True)
class Place:
    """Where an output of a partner lies in the original's: taken along an axis, axes permuted.

    ``indices`` None takes everything; ``axes`` None leaves the axes as they are.
    """

    axis: int = 0
    indices: tuple[int, ...] | None = None
    axes: tuple[int, ...] | None = None

    def of(self, original: Array) -> Array:
        """The elements that the partner's output must equal, of the original's array."""
        taken = (
            original if self.indices is None else np.take(original, self.indices, self.axis)
        )
        return taken if self.axes is None else np.transpose(taken, self.axes)


class Surgery:
    """Edits one case. Nothing is shared with it: ``case`` gives the changed one."""

    def __init__(self, case: Case) -> None:
        self.model = case.proto()
        self.graph = self.model.graph
        self.inputs = dict(case.inputs)
        self.opset = max(
            (e.version for e in self.model.opset_import if e.domain == ""), default=0
        )
        self._constants = {each.name: each for each in self.graph.initializer}
        self._producer = {name: node for node in self.graph.node for name in node.output}
        self._readers = Counter(name for node in self.graph.node for name in node.input)
        self._outputs = {each.name for each in self.graph.output}

    def constant(self, node: onnx.NodeProto, index: int) -> Array | None:
        """The initializer behind an input of a node; None where it is absent or computed."""
        name = input_name(node, index)
        if name in self._constants and name not in self.inputs:
            return np.asarray(numpy_helper.to_array(self._constants[name]))
        return None

    def replace(self, node: onnx.NodeProto, index: int, array: Array) -> None:
        """Give one input of one node a constant of its own."""
        name = f"{node.input[index]}_partner"
        while name in self._constants:
            name += "_"
        self._constants[name] = numpy_helper.from_array(np.array(array, order="C"), name)
        self.graph.initializer.append(self._constants[name])
        node.input[index] = name

    def producer(self, name: str) -> onnx.NodeProto | None:
        """The node that computes a tensor."""
        return self._producer.get(name)

    def is_private(self, name: str) -> bool:
        """Whether one node alone reads a tensor, and nobody outside the graph."""
        return self._readers[name] == 1 and name not in self._outputs

    def source(self, name: str) -> str | None:
        """The graph input that a tensor is made of element by element, and nothing else is."""
        while self.is_private(name):
            if name in self.inputs:
                return name
            node = self._producer.get(name)
            if node is None or not self.is_elementwise(node):
                return None
            name = node.input[0]
        return None

    def sinks(self, name: str) -> tuple[str, ...] | None:
        """The graph outputs that show a tensor element by element; None where more becomes of it."""
        found: tuple[str, ...] = (name,) if name in self._outputs else ()
        for node in self.graph.node:
            if name not in node.input:
                continue
            more = self.sinks(node.output[0]) if self.is_elementwise(node) else None
            if more is None or list(node.input).count(name) > 1 or node.input[0] != name:
                return None
            found += more
        return found

    def is_elementwise(self, node: onnx.NodeProto) -> bool:
        """Whether a node treats every place alike: no parameter of it has more than one value."""
        if node.op_type not in ELEMENTWISE or node.domain:
            return False
        values = [self.constant(node, index) for index in range(1, len(node.input))]
        wanted = sum(1 for name in node.input[1:] if name)
        return sum(1 for each in values if each is not None and each.size == 1) == wanted

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor that has one, by inference."""
        graph = onnx.shape_inference.infer_shapes(self.model).graph
        infos = (*graph.value_info, *graph.input, *graph.output)
        found = {each.name: shape_of(each) for each in infos}
        found |= {name: tuple(each.dims) for name, each in self._constants.items()}
        return {name: shape for name, shape in found.items() if shape is not None}

    def case(self, places: Mapping[str, Place]) -> Case:
        """The changed case; ``places`` tell how outputs differ in shape."""
        self._keep_what_is_read()
        del self.graph.value_info[:]
        for info in self.graph.input:
            if info.name in self.inputs:
                _set_shape(info, self.inputs[info.name].shape)
        for info in self.graph.output:
            if info.name in places:
                _move(info, places[info.name])
        return Case(self.model.SerializeToString(), self.inputs)

    def _keep_what_is_read(self) -> None:
        """Constants that nobody reads go; old models list each that is left as an input, too."""
        graph = self.graph
        read = {name for node in graph.node for name in node.input} | self._outputs
        gone = {each.name for each in graph.initializer} - read
        kept = [each for each in graph.initializer if each.name in read]
        infos = [each for each in graph.input if each.name not in gone]
        if self.model.ir_version < INPUTS_ALONE:
            listed = {each.name for each in infos}
            infos += [
                helper.make_tensor_value_info(each.name, each.data_type, each.dims)
                for each in kept
                if each.name not in listed
            ]
        del graph.initializer[:], graph.input[:]
        graph.initializer.extend(kept)
        graph.input.extend(infos)


def input_name(node: onnx.NodeProto, index: int) -> str:
    """The name of an input; empty where it is left out."""
    return str(node.input[index]) if index < len(node.input) else ""


def shape_of(info: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    """The shape of a tensor where all of it is said."""
    tensor = info.type.tensor_type
    if not tensor.HasField("shape") or not all(
        each.HasField("dim_value") for each in tensor.shape.dim
    ):
        return None
    return tuple(each.dim_value for each in tensor.shape.dim)


def attribute(node: onnx.NodeProto, name: str, default: object) -> object:
    """An attribute's value; lists as tuples."""
    for each in node.attribute:
        if each.name == name:
            value = helper.get_attribute_value(each)
            return tuple(value) if isinstance(value, list) else value
    return default


def set_attribute(node: onnx.NodeProto, name: str, value: object) -> None:
    """Write an attribute, whether it was there or not."""
    kept = [each for each in node.attribute if each.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def _move(info: onnx.ValueInfoProto, place: Place) -> None:
    """The shape after taking and permuting; sizes that were open stay open."""
    if not info.type.tensor_type.HasField("shape"):
        return
    dims = list(info.type.tensor_type.shape.dim)
    if place.indices is not None:
        dims[place.axis] = onnx.TensorShapeProto.Dimension(dim_value=len(place.indices))
    if place.axes is not None:
        dims = [dims[each] for each in place.axes]
    info.type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto(dim=dims))


def _set_shape(info: onnx.ValueInfoProto, shape: Sequence[int]) -> None:
    dims = info.type.tensor_type.shape
    dims.ClearField("dim")
    dims.SetInParent()
    for size in shape:
        dims.dim.add(dim_value=size)
