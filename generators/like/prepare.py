"""A user's model made plain: functions inlined, free sizes settled, what is constant computed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, inliner, numpy_helper
from onnx.reference import ReferenceEvaluator

from corpus.case import Array
from corpus.load import InputError

FREE_BATCH, FREE_SIZE = 1, 32
MOST_FOLDED = (
    4096  # elements of a constant that is computed here: shapes and indices are small
)
_ROUNDS = 8
_NEVER = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The plain graph; ``shapes`` and ``types`` (ONNX element types) of every tensor that has some."""

    model: onnx.ModelProto
    constants: Mapping[str, onnx.TensorProto]
    shapes: Mapping[str, Shape]
    types: Mapping[str, int]


def prepared(model: onnx.ModelProto) -> Prepared:
    """The plain form of a model. Free sizes become 1 (the first axis) or 32.

    Raises:
        InputError: its shapes contradict each other, with these sizes at least.
    """
    plain = onnx.ModelProto()
    plain.CopyFrom(inliner.inline_local_functions(model) if model.functions else model)
    _settle(plain.graph)
    _collect_constants(plain.graph)
    try:
        for _ in range(_ROUNDS):
            shapes, _ = inferred(plain)
            if not _fold(plain, shapes):
                break
        shapes, types = inferred(plain)
    except onnx.shape_inference.InferenceError as error:
        why = " ".join(str(error).split())
        raise InputError(f"{why}; give the free sizes of its inputs numbers") from error
    constants = {each.name: each for each in plain.graph.initializer}
    return Prepared(plain, constants, shapes, types)


def inferred(
    model: onnx.ModelProto, *, strict: bool = False
) -> tuple[dict[str, Shape], dict[str, int]]:
    """Shapes and element types by inference, as far as it goes.

    Raises:
        onnx.shape_inference.InferenceError: ``strict``, and something does not fit.
    """
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=strict, data_prop=True).graph
    shapes: dict[str, Shape] = {each.name: tuple(each.dims) for each in graph.initializer}
    types = {each.name: each.data_type for each in graph.initializer}
    for info in (*graph.value_info, *graph.input, *graph.output):
        tensor = info.type.tensor_type
        types.setdefault(info.name, tensor.elem_type)
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
            shapes.setdefault(info.name, tuple(d.dim_value for d in tensor.shape.dim))
    return shapes, types


def _settle(graph: onnx.GraphProto) -> None:
    for info in graph.input:
        if not info.type.HasField("tensor_type") or not info.type.tensor_type.HasField(
            "shape"
        ):
            continue
        for axis, dim in enumerate(info.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") or dim.dim_value < 1:
                dim.dim_value = FREE_SIZE if axis else FREE_BATCH
    del graph.value_info[:]
    for info in graph.output:
        info.type.tensor_type.ClearField("shape")


def _collect_constants(graph: onnx.GraphProto) -> None:
    """Constant nodes of arrays as initializers; graph inputs that have a value as constants."""
    names = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in names]
    del graph.input[:]
    graph.input.extend(inputs)
    kept = []
    for node in graph.node:
        array = _constant(node) if node.op_type == "Constant" else None
        if array is None:
            kept.append(node)
        else:
            graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)


def _constant(node: onnx.NodeProto) -> Array | None:
    said = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    if "value" in said:
        return np.asarray(numpy_helper.to_array(said["value"]))
    for kind, dtype in (("value_int", np.int64), ("value_float", np.float32)):
        for name in (kind, f"{kind}s"):
            if name in said:
                return np.array(said[name], dtype)
    return None


def _fold(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> bool:
    """Compute the nodes whose result is known; whether there were any."""
    graph = model.graph
    known = {each.name: each for each in graph.initializer}
    made = [(node, list(_values(model, node, known, shapes))) for node in graph.node]
    kept = [node for node, arrays in made if not arrays]
    for node, arrays in made:
        graph.initializer.extend(
            numpy_helper.from_array(array, name)
            for name, array in zip(filter(None, node.output), arrays, strict=False)
        )
    is_changed = len(kept) < len(made)
    del graph.node[:]
    graph.node.extend(kept)
    return is_changed


def _values(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    known: Mapping[str, onnx.TensorProto],
    shapes: Mapping[str, Shape],
) -> Iterator[Array]:
    if node.op_type == "Shape" and not node.domain and node.input[0] in shapes:
        said = {each.name: each.i for each in node.attribute}
        yield np.array(shapes[node.input[0]][said.get("start", 0) : said.get("end")], np.int64)
        return
    names = [name for name in node.input if name]
    if not names or not all(name in known for name in names) or not _is_small(node, known):
        return
    graph = helper.make_graph(
        [node],
        "constant",
        [],
        [onnx.ValueInfoProto(name=name) for name in node.output if name],
        [known[name] for name in dict.fromkeys(names)],
    )
    single = helper.make_model(graph, opset_imports=model.opset_import)
    try:
        made = ReferenceEvaluator(single).run(None, {})
    except Exception:  # an operator that the evaluator lacks, or cannot run, stays a node
        return
    yield from (np.asarray(each) for each in made)


def _is_small(node: onnx.NodeProto, known: Mapping[str, onnx.TensorProto]) -> bool:
    has_graphs = any(each.g.node or each.graphs for each in node.attribute)
    sizes = (int(np.prod(known[name].dims)) for name in node.input if name)
    return node.op_type not in _NEVER and not has_graphs and sum(sizes) <= MOST_FOLDED
