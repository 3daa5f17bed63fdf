"""Cutting a part out of a model: a prefix, or one fused operation fed with given tensors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from corpus.case import Array, Case
from engine import EngineError, Session

_ELEMENT = {
    np.dtype(np.float32): onnx.TensorProto.FLOAT,
    np.dtype(np.float64): onnx.TensorProto.DOUBLE,
    np.dtype(np.float16): onnx.TensorProto.FLOAT16,
    np.dtype(np.int8): onnx.TensorProto.INT8,
    np.dtype(np.uint8): onnx.TensorProto.UINT8,
    np.dtype(np.int16): onnx.TensorProto.INT16,
    np.dtype(np.uint16): onnx.TensorProto.UINT16,
    np.dtype(np.int32): onnx.TensorProto.INT32,
    np.dtype(np.int64): onnx.TensorProto.INT64,
    np.dtype(np.bool_): onnx.TensorProto.BOOL,
}


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Every tensor that a node needs, also those its subgraphs take from outside."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            inside = {name for inner in graph.node for name in inner.output}
            for inner in graph.node:
                yield from (name for name in reads(inner) if name not in inside)


def nodes_between(
    graph: onnx.GraphProto, inputs: Mapping[str, object], outputs: Sequence[str]
) -> list[onnx.NodeProto]:
    """The nodes that compute ``outputs`` from ``inputs``, in the graph's order."""
    producer = {name: index for index, node in enumerate(graph.node) for name in node.output}
    needed: set[int] = set()
    waiting = [name for name in outputs if name not in inputs]
    while waiting:
        index = producer.get(waiting.pop())
        if index is not None and index not in needed:
            needed.add(index)
            waiting += [name for name in reads(graph.node[index]) if name not in inputs]
    return [graph.node[index] for index in sorted(needed)]


def tensor_types(case: Case) -> dict[str, onnx.ValueInfoProto]:
    """The inferred type and shape of every tensor of the main graph that has one.

    What inference does not know (operators of com.microsoft) our engine finds by running the case.
    """
    model = case.proto()
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    types = {info.name: info for info in (*graph.value_info, *graph.input, *graph.output)}
    made = {name for node in model.graph.node for name in node.output if name}
    if made <= types.keys():
        return types
    return {
        name: _value_info(name, array) for name, array in exact_tensors(case).items()
    } | types


def exact_tensors(case: Case) -> Mapping[str, Array]:
    """Every tensor of a case by our engine, one operator at a time; none where it cannot run the case."""
    try:
        return Session(case.model, fusion="off").run_tapped(case.inputs)
    except EngineError:
        return {}


def cut(
    case: Case,
    outputs: Sequence[str],
    types: Mapping[str, onnx.ValueInfoProto] | None = None,
    fed: Mapping[str, Array] | None = None,
) -> Case:
    """The part of a case that computes ``outputs`` from its inputs and the tensors it is ``fed``.

    ``types`` are those of `tensor_types`; pass them when cutting one case often.
    """
    model, inputs = case.proto(), {**case.inputs, **(fed or {})}
    types = tensor_types(case) if types is None else types
    nodes = nodes_between(model.graph, inputs, outputs)
    needed = {name for node in nodes for name in reads(node)} | set(outputs)
    given = {name: array for name, array in inputs.items() if name in needed}
    part = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    part.functions.extend(model.functions)
    part.graph.name = "cut"
    part.graph.node.extend(nodes)
    part.graph.initializer.extend(
        each
        for each in model.graph.initializer
        if each.name in needed and each.name not in given
    )
    part.graph.input.extend(_value_info(name, array) for name, array in given.items())
    part.graph.output.extend(
        types.get(name) or onnx.ValueInfoProto(name=name) for name in outputs
    )
    return Case(model=part.SerializeToString(), inputs=given, origin="cut")


def _value_info(name: str, array: Array) -> onnx.ValueInfoProto:
    info = onnx.ValueInfoProto(name=name)
    tensor = info.type.tensor_type
    tensor.elem_type = _ELEMENT.get(array.dtype) or _other_type(array.dtype)
    tensor.shape.SetInParent()
    for size in array.shape:
        tensor.shape.dim.add(dim_value=size)
    return info


def _other_type(dtype: np.dtype[Any]) -> int:
    """The element type of what numpy itself lacks: codes of 2 and 4 bits, short floats."""
    return int(onnx.helper.np_dtype_to_tensor_dtype(dtype))
