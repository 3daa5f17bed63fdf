"""Passes for sizes: open ones become those of the data, computed ones become constants."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from corpus.case import Array
from harness.reduce.problem import Problem
from harness.reduce.tidy import inferred, is_static

MOST = 64  # elements of a tensor that holds sizes
UNKNOWN = (RuntimeError, ValueError, TypeError, IndexError, KeyError, NotImplementedError)
"""What the standard's evaluator raises on a node that it cannot run."""


def close_sizes(problem: Problem) -> None:
    """Give open sizes, such as that of the batch, the values that they have in the data."""
    problem.offer_graph(problem.best.proto(), problem.best.inputs)


def fold_sizes(problem: Problem) -> None:
    """Replace what is computed from sizes alone by constants: shapes, as exporters write them."""
    model = problem.best.proto()
    known = _sizes(model)
    if known:
        kept = [each for each in model.graph.node if not known.keys() >= set(each.output)]
        del model.graph.node[:]
        model.graph.node.extend(kept)
        arrays = (numpy_helper.from_array(array, name) for name, array in known.items())
        model.graph.initializer.extend(arrays)
        problem.offer_graph(model, problem.best.inputs)


def _sizes(model: onnx.ModelProto) -> dict[str, Array]:
    """The tensors that depend on the sizes of others and on constants, if any depends on sizes."""
    types = inferred(model)
    constants = {
        each.name: numpy_helper.to_array(each)
        for each in model.graph.initializer
        if each.data_type == onnx.TensorProto.INT64
    }
    known: dict[str, Array] = {}
    for node in model.graph.node:
        kind = types.get(node.input[0]) if node.op_type == "Shape" else None
        if kind is not None and is_static(kind):
            sizes = np.array([each.dim_value for each in kind.tensor_type.shape.dim])
            known |= _values(model, node, {node.input[0]: np.empty(sizes, np.uint8)})
        elif node.op_type == "Constant":
            constants |= _values(model, node, {})
        elif any(name in known for name in node.input):
            known |= _values(model, node, constants | known)
    return known


def _values(
    model: onnx.ModelProto, node: onnx.NodeProto, given: Mapping[str, Array]
) -> dict[str, Array]:
    """What a node makes of what is given; nothing if that is not enough, or no few sizes."""
    inputs = {name: given[name] for name in node.input if name in given}
    if len(inputs) < len({*filter(None, node.input)}) or node.domain:
        return {}
    infos = [onnx.ValueInfoProto(name=name) for name in inputs]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = onnx.helper.make_graph([node], "g", infos, outputs)
    alone = onnx.helper.make_model(graph, opset_imports=model.opset_import)
    try:
        made = ReferenceEvaluator(alone).run(None, inputs)
    except UNKNOWN:
        return {}
    arrays = dict(zip(node.output, map(np.asarray, made), strict=True))
    small = all(each.dtype == np.int64 and each.size <= MOST for each in arrays.values())
    return arrays if small else {}
