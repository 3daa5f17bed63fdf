"""From the tensors of onnxruntime's optimized graph back to those of the source graph.

onnxruntime keeps most names. It renames where it changes layout (NCHW to NHWC, by Transposes) and
where it stores int8 codes as uint8 (codes and zero points plus 128); those are undone here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from harness.backends.graph import Graph, attributes, node_id
from harness.backends.ort_early import quantized_early

if TYPE_CHECKING:
    from collections.abc import Mapping as TypeMapping

    from harness.backends.protocol import Array

LAYOUT = ("Transpose", "ReorderInput", "ReorderOutput")
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")
SUFFIX = re.compile(r"(_token_\d+|_nhwc|_nchwc)+$")  # what onnxruntime appends to node names


class Mapping:
    """Which source tensor each optimized tensor holds, and in which order of axes.

    ``_of[name] = (source, order)``: the source tensor is ``transpose(array, order)``.
    """

    def __init__(
        self,
        source: onnx.ModelProto,
        optimized: onnx.ModelProto,
        dtypes: TypeMapping[str, np.dtype[np.generic]],
    ) -> None:
        self._source, self._optimized = Graph(source.graph), Graph(optimized.graph)
        self._facts = _facts(source)
        self._of: dict[str, tuple[str, list[int] | None]] = {}
        self._keep_names()
        self._undo_transposes_behind()
        for node in self._optimized.nodes:
            if node.output[0] not in self._of:
                self._place(node)
        sources = {name: source for name, (source, _) in self._of.items()}
        kinds = {name: kind for name, (kind, _) in self._facts.items()}
        for name in quantized_early(self._optimized, sources, kinds, dtypes):
            del self._of[name]

    def source_array(self, name: str, array: Array) -> dict[str, Array]:
        """The source tensor's name and codes, or nothing where that is not certain."""
        if name not in self._of:
            return {}
        source, order = self._of[name]
        kind, shape = self._facts.get(source, (None, None))
        if order is not None:
            array = np.ascontiguousarray(array.transpose(order))
        if kind == onnx.TensorProto.INT8 and array.dtype == np.uint8:
            array = (array ^ np.uint8(128)).view(np.int8)
        if kind is None or array.dtype != onnx.helper.tensor_dtype_to_np_dtype(kind):
            return {}
        return {} if shape is not None and shape != array.shape else {source: array}

    def plan(self) -> list[dict[str, Any]]:
        """One entry for each optimized node that computes something of the source graph."""
        found = [self._step(node) for node in self._optimized.nodes]
        return [each for each in found if each["nodes"]]

    def _step(self, node: onnx.NodeProto) -> dict[str, Any]:
        outputs = [self._of[name][0] for name in node.output if name in self._of]
        inputs: list[str] = []
        for name in node.input:
            inputs += [each for each in self._origins(name) if each not in inputs]
        moves_only = set(outputs) <= set(inputs)
        computes = self._computing(node)
        return {
            "kind": computes.op_type,
            "name": computes.name,
            "nodes": [] if moves_only else self._source.between(inputs, outputs),
            "inputs": inputs,
            "outputs": outputs,
        }

    def _computing(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """The first node that computes, of this one and those before it up to tensors of the source."""
        region, stack = {node_id(node)}, list(node.input)
        while stack:
            name = stack.pop()
            maker = None if name in self._of else self._optimized.maker(name)
            if maker is not None and node_id(maker) not in region:
                region.add(node_id(maker))
                stack += maker.input
        computing = (
            each
            for each in self._optimized.nodes
            if node_id(each) in region and each.op_type not in (*LAYOUT, *CONVERSIONS)
        )
        return next(computing, node)

    def _origins(self, name: str) -> list[str]:
        """The nearest source tensors that an optimized tensor is computed from."""
        if name in self._of:
            return [self._of[name][0]]
        node = self._optimized.maker(name)
        return (
            []
            if node is None
            else [each for name in node.input for each in self._origins(name)]
        )

    def _keep_names(self) -> None:
        for name in self._optimized.inputs:
            self._of[name] = name, None
        for node in self._optimized.nodes:
            for name in node.output:
                if self._source.maker(name) is not None:
                    self._of[name] = name, None

    def _undo_transposes_behind(self) -> None:
        for node in reversed(self._optimized.nodes):
            behind, before = self._of.get(node.output[0]), node.input[0] if node.input else ""
            if node.op_type == "Transpose" and behind and before not in self._of:
                order = attributes(node)["perm"]
                rest = behind[1]
                self._of[before] = (
                    behind[0],
                    order if rest is None else [order[i] for i in rest],
                )

    def _place(self, node: onnx.NodeProto) -> None:
        if node.op_type == "Transpose":
            self._undo_transpose_before(node)
            return
        tensor = (
            self._quantized(node) if node.op_type == "QuantizeLinear" else self._computed(node)
        )
        if tensor is None:
            return
        if (
            attributes(node).get("channels_last")
            and self._facts.get(tensor, (0, None))[1] is None
        ):
            return  # nobody says how many axes there are to put back
        self._of[node.output[0]] = tensor, self._channels_first(node, tensor)

    def _undo_transpose_before(self, node: onnx.NodeProto) -> None:
        before = self._of.get(node.input[0])
        if before:
            inverse = [int(i) for i in np.argsort(attributes(node)["perm"])]
            rest = before[1]
            order = inverse if rest is None else [inverse[i] for i in rest]
            self._of[node.output[0]] = before[0], order

    def _channels_first(self, node: onnx.NodeProto, tensor: str) -> list[int] | None:
        shape = self._facts.get(tensor, (None, None))[1]
        if not attributes(node).get("channels_last") or shape is None:
            return None
        rank = len(shape)
        return [0, rank - 1, *range(1, rank - 1)]

    def _quantized(self, node: onnx.NodeProto) -> str | None:
        """The output of the source's QuantizeLinear that reads the same tensor."""
        before = self._of.get(node.input[0])
        readers = self._source.readers(before[0]) if before else []
        found = [each for each in readers if each.op_type == "QuantizeLinear"]
        named = [each for each in found if node_id(each) == SUFFIX.sub("", node.name)] or found
        return named[0].output[0] if len(named) == 1 else None

    def _computed(self, node: onnx.NodeProto) -> str | None:
        """What a fused operation computes: found by its weight, else by its name."""
        inputs = {each for name in node.input for each in self._origins(name)}
        found = [each for name in node.input for each in self._weighted(name)]
        found = found or [
            each
            for each in self._source.nodes
            if each.name and each.name == SUFFIX.sub("", node.name)
        ]
        ends = {self._end(each) for each in found}
        taken = {source for source, _ in self._of.values()}
        right = (
            [end for end in ends - taken if inputs & self._sources(end)]
            if len(ends) > 1
            else list(ends)
        )
        return right[0] if len(right) == 1 else None

    def _weighted(self, name: str) -> list[onnx.NodeProto]:
        """Source nodes that compute with the constant of this name, directly or dequantized."""
        if name not in self._source.constants or len(self._source.constants[name].dims) < 2:
            return []
        found = []
        for each in self._source.readers(name):
            is_dequantized = each.op_type == "DequantizeLinear"
            found += self._source.readers(each.output[0]) if is_dequantized else [each]
        return found

    def _end(self, node: onnx.NodeProto) -> str:
        """Behind a node and its activation: the tensor that is quantized again, if there is one."""
        tensor = node.output[0]
        while not node.op_type.startswith("QLinear"):
            readers = self._source.readers(tensor)
            if len(readers) != 1 or readers[0].op_type not in (
                "Relu",
                "Clip",
                "QuantizeLinear",
            ):
                break
            tensor = readers[0].output[0]
            if readers[0].op_type == "QuantizeLinear":
                break
        return str(tensor)

    def _sources(self, tensor: str) -> set[str]:
        """Every tensor that ``tensor`` depends on within the same fused operation's reach."""
        seen, stack = set(), [tensor]
        while stack:
            node = self._source.maker(stack.pop())
            for name in node.input if node is not None else ():
                if name and name not in seen:
                    seen.add(name)
                    stack.append(name)
        return seen


def _facts(model: onnx.ModelProto) -> dict[str, tuple[int | None, tuple[int, ...] | None]]:
    """Element type and static shape (None where it has a free dimension) of every known tensor."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    facts = {}
    for group in (graph.input, graph.value_info, graph.output):
        for each in group:
            kind = each.type.tensor_type
            dims = kind.shape.dim
            is_static = kind.HasField("shape") and all(
                dim.HasField("dim_value") for dim in dims
            )
            shape = tuple(dim.dim_value for dim in dims) if is_static else None
            facts[each.name] = kind.elem_type or None, shape
    return facts
