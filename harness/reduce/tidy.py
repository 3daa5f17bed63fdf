"""Make a cut model whole again: no dead parts, and types and shapes that fit the data."""

from collections.abc import Iterator, Mapping

import numpy as np
import onnx

from corpus.case import Array, Case


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Names of the tensors that a node reads, those captured by its subgraphs included."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from reads(inner)
            yield from (output.name for output in graph.output)


def tidy(model: onnx.ModelProto, inputs: Mapping[str, Array], origin: str) -> Case | None:
    """Drop dead nodes, initializers, inputs and stale shapes; infer the outputs' shapes.

    Changes ``model``. None where no input is left or no output shape can be inferred.
    """
    graph = model.graph
    model.ir_version = max(model.ir_version, 4)  # before 4, initializers had to be inputs too
    used = _keep_live_nodes(graph)
    _keep(graph.initializer, used)
    _keep(graph.sparse_initializer, used)
    del graph.value_info[:]
    del graph.quantization_annotation[:]
    kept = _declare_inputs(graph, inputs, used)
    if not kept or not _infer_outputs(model):
        return None
    return Case(model.SerializeToString(), kept, origin)


def is_valid(case: Case) -> bool:
    """Whether ONNX's own checker, with full shape inference, accepts the model."""
    try:
        onnx.checker.check_model(case.model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


def inferred(model: onnx.ModelProto) -> dict[str, onnx.TypeProto]:
    """Type and shape of every tensor that can be known, by name; empty for an invalid model."""
    try:
        graph = onnx.shape_inference.infer_shapes(
            model, strict_mode=True, data_prop=True
        ).graph
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return {}
    types = {each.name: each.type for each in (*graph.input, *graph.value_info, *graph.output)}
    for each in graph.initializer:
        types[each.name] = onnx.helper.make_tensor_type_proto(each.data_type, each.dims)
    return types


def is_static(kind: onnx.TypeProto) -> bool:
    """Whether a tensor type has a known, non-empty shape."""
    shape = kind.tensor_type.shape
    return kind.tensor_type.HasField("shape") and all(each.dim_value > 0 for each in shape.dim)


def _is_known(kind: onnx.TypeProto) -> bool:
    shape = kind.tensor_type.shape
    return kind.tensor_type.HasField("shape") and all(
        each.HasField("dim_value") for each in shape.dim
    )


def _keep_live_nodes(graph: onnx.GraphProto) -> set[str]:
    """Remove nodes that no output needs; return the names that are read."""
    used = {output.name for output in graph.output}
    live = []
    for node in reversed(graph.node):
        if used.intersection(node.output):
            live.append(node)
            used.update(reads(node))
    if len(live) < len(graph.node):
        kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(live)]
        del graph.node[:]
        graph.node.extend(kept)
    return used


def _keep(field: "list[onnx.TensorProto]", used: set[str]) -> None:
    for index in range(len(field) - 1, -1, -1):
        tensor = field[index]
        name = tensor.values.name if hasattr(tensor, "values") else tensor.name
        if name not in used:
            del field[index]


def _declare_inputs(
    graph: onnx.GraphProto, inputs: Mapping[str, Array], used: set[str]
) -> dict[str, Array]:
    """Make the graph's inputs exactly the arrays it reads, and return those."""
    constants = {tensor.name for tensor in graph.initializer}
    names = [each.name for each in graph.input]
    names += [name for name in inputs if name not in names]
    kept = {
        name: inputs[name]
        for name in names
        if name in used and name in inputs and name not in constants
    }
    del graph.input[:]
    for name, array in kept.items():
        code = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(array.dtype))
        graph.input.append(onnx.helper.make_tensor_value_info(name, code, array.shape))
    return kept


def _infer_outputs(model: onnx.ModelProto) -> bool:
    """Replace each output's declaration by the inferred one, the old one where none is."""
    declared = {each.name: each.type.SerializeToString() for each in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in declared)
    types = inferred(model)
    for output in model.graph.output:
        kind = types.get(output.name)
        if kind is None or not _is_known(kind):
            kind = onnx.TypeProto.FromString(declared[output.name])
        if not is_static(kind):
            return False
        output.type.CopyFrom(kind)
    return bool(types)
