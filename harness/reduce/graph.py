"""Passes that make the graph smaller: cut it, go round nodes, strip names and notes."""

from collections.abc import Collection, Iterator
from itertools import count
from string import ascii_lowercase

import numpy as np
import onnx
from onnx import numpy_helper

from corpus.case import Array, Case, node_id
from generators.operators.conv import build, describe
from harness.reduce.problem import Problem, lower
from harness.reduce.tidy import inferred, is_static, reads

ACTIVATIONS = frozenset({"Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSwish"})
WEIGHTED = frozenset({"QLinearConv", "Conv", "ConvInteger", "QLinearMatMul", "MatMul", "Gemm"})
QDQ = frozenset({"QuantizeLinear", "DequantizeLinear"})
SCALE_INPUT = 1


def cut_to_culprit(problem: Problem) -> None:
    """Keep the culprit nodes alone; else with the Q and DQ around them."""
    nodes = problem.best.proto().graph.node
    chosen = {index for index, node in enumerate(nodes) if node_id(node) in problem.culprit}
    if not chosen or _offer_part(problem, chosen):
        return
    around = [_unit(nodes, index) for index in chosen if nodes[index].op_type not in QDQ]
    _offer_part(problem, chosen.union(*around))


def cut_to_unit(problem: Problem) -> None:
    """Keep one operation with the DQ before and the activation and Q behind it; weighted first."""
    nodes = problem.best.proto().graph.node
    compute = [index for index, node in enumerate(nodes) if node.op_type not in QDQ]
    if len(compute) < 2:
        return
    compute.sort(key=lambda index: nodes[index].op_type not in WEIGHTED)
    for index in compute[:8]:
        if _offer_part(problem, _unit(nodes, index)):
            return


def cut_ends(problem: Problem) -> None:
    """Drop nodes from the back, then from the front, as many as possible."""
    lower(_nodes(problem), 1, lambda kept: _offer_part(problem, range(kept)))
    lower(_nodes(problem), 1, lambda kept: _offer_part(problem, _last(problem, kept)))


def cut_outputs(problem: Problem) -> None:
    """Keep one graph output."""
    outputs = problem.best.proto().graph.output
    if len(outputs) > 1:
        for index in range(len(outputs)):
            model = problem.best.proto()
            only = onnx.ValueInfoProto.FromString(outputs[index].SerializeToString())
            del model.graph.output[:]
            model.graph.output.append(only)
            if problem.offer_graph(model, problem.best.inputs):
                return


def bypass_nodes(problem: Problem) -> None:
    """Go round nodes: a tensor becomes its farthest, else nearest, ancestor of the same type."""
    index = _nodes(problem)
    while index > 0:
        index = min(index, _nodes(problem)) - 1
        model = problem.best.proto()
        found = list(_ancestors(model, model.graph.node[index].output[0]))
        for ancestor in dict.fromkeys((*found[-1:], *found[:1])):
            if _offer_bypass(problem, model.graph.node[index].output[0], ancestor):
                break


def strip(problem: Problem) -> None:
    """Remove documentation, metadata and unused opsets, and shorten every name.

    A case as the generator writes it is left alone: its names are short, and tell what they name.
    """
    if _is_generated(problem.best):
        return
    model = problem.best.proto()
    _strip_notes(model)
    names = _short_names(model)
    inputs = {names.get(name, name): array for name, array in problem.best.inputs.items()}
    if names and problem.offer_graph(_renamed(model, names), inputs):
        return
    model = problem.best.proto()
    _strip_notes(model)
    problem.offer_graph(model, problem.best.inputs)


def _nodes(problem: Problem) -> int:
    return len(problem.best.proto().graph.node)


def _last(problem: Problem, kept: int) -> range:
    size = _nodes(problem)
    return range(max(0, size - kept), size)


def _unit(nodes: Collection[onnx.NodeProto], index: int) -> set[int]:
    """A compute node, the DQ that feed it, and its activation and Q where they alone follow."""
    listed = list(nodes)
    makers = {name: place for place, node in enumerate(listed) for name in node.output}
    unit = {index}
    for name in listed[index].input:
        place = makers.get(name)
        if place is not None and listed[place].op_type == "DequantizeLinear":
            unit.add(place)
    last = index
    for wanted in (ACTIVATIONS, frozenset({"QuantizeLinear"})):
        after = [i for i, node in enumerate(listed) if listed[last].output[0] in reads(node)]
        if len(after) == 1 and listed[after[0]].op_type in wanted:
            last = after[0]
            unit.add(last)
    return unit


def _offer_part(problem: Problem, chosen: Collection[int]) -> bool:
    """Offer the chosen nodes alone: what they read from others becomes an input."""
    model = problem.best.proto()
    graph, types = model.graph, inferred(model)
    constants = {each.name for each in graph.initializer}
    keep = _with_constant_makers(graph, set(chosen), constants)
    if len(keep) == len(graph.node):
        return False
    inside = [node for index, node in enumerate(graph.node) if index in keep]
    outside = [node for index, node in enumerate(graph.node) if index not in keep]
    made = {name for node in inside for name in node.output}
    wanted = {name for node in outside for name in reads(node)} | {
        o.name for o in graph.output
    }
    sources = dict.fromkeys(
        n for node in inside for n in reads(node) if n not in made | constants
    )
    ends = [name for node in inside for name in node.output if name in wanted]
    if not ends or any(name not in types or not is_static(types[name]) for name in sources):
        return False
    inputs = {name: _data(problem, model, name, types[name]) for name in sources}
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in inside]
    del graph.node[:], graph.output[:]
    graph.node.extend(nodes)
    for name in ends:
        graph.output.add(name=name).type.CopyFrom(types.get(name, onnx.TypeProto()))
    return problem.offer_graph(model, inputs)


def _with_constant_makers(
    graph: onnx.GraphProto, chosen: set[int], constants: Collection[str]
) -> set[int]:
    """The chosen nodes and those that compute something they read from constants alone."""
    known = set(constants)
    makers = {}
    for index, node in enumerate(graph.node):
        if known.issuperset(reads(node)):
            known.update(node.output)
            makers.update(dict.fromkeys(node.output, index))
    pending = list(chosen)
    while pending:
        for name in reads(graph.node[pending.pop()]):
            maker = makers.get(name)
            if maker is not None and maker not in chosen:
                chosen.add(maker)
                pending.append(maker)
    return chosen


def _data(problem: Problem, model: onnx.ModelProto, name: str, kind: onnx.TypeProto) -> Array:
    """Values for a tensor that becomes an input: the case's own, the known ones, or drawn."""
    shape = tuple(each.dim_value for each in kind.tensor_type.shape.dim)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type)
    for known in (problem.best.inputs, problem.values):
        if name in known and known[name].shape == shape and known[name].dtype == dtype:
            return known[name]
    rng = np.random.default_rng(7)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(max(limits.min, -128), min(limits.max, 255), shape, dtype, True)
    drawn: Array = (rng.standard_normal(shape) * 64 * _scale_at(model, name)).astype(dtype)
    return drawn


def _scale_at(model: onnx.ModelProto, name: str) -> float:
    """The scale with which a float tensor is quantized, or was dequantized; 1/64 if neither."""
    constants = {each.name: each for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in QDQ and name in (node.input[0], node.output[0]):
            scale = constants.get(node.input[SCALE_INPUT])
            if scale is not None:
                return float(numpy_helper.to_array(scale).astype(np.float64).mean())
    return 1 / 64


def _ancestors(model: onnx.ModelProto, name: str) -> Iterator[str]:
    """Tensors of the same type and shape up the chain of first inputs, nearest first."""
    types = inferred(model)
    makers = {each: node for node in model.graph.node for each in node.output}
    constants = {each.name for each in model.graph.initializer}
    start = name
    while name in makers and makers[name].input:
        name = makers[name].input[0]
        if name in types and name not in constants and types[name] == types.get(start):
            yield name


def _offer_bypass(problem: Problem, name: str, ancestor: str) -> bool:
    """Offer the graph in which every reader of ``name`` reads ``ancestor`` instead."""
    model = problem.best.proto()
    if name in {output.name for output in model.graph.output}:
        if ancestor in problem.best.inputs:
            return False
        names = {name: f"{name}*", ancestor: name}
    else:
        names = {name: ancestor}
    for node in model.graph.node:
        for index, read in enumerate(node.input):
            node.input[index] = names.get(read, read)
        if ancestor in names:
            for index, made in enumerate(node.output):
                node.output[index] = names.get(made, made)
    return problem.offer_graph(model, problem.best.inputs)


def _is_generated(case: Case) -> bool:
    spec = describe(case)
    return spec is not None and build(spec).model == case.model


def _strip_notes(model: onnx.ModelProto) -> None:
    for field in (
        "doc_string",
        "producer_name",
        "producer_version",
        "domain",
        "model_version",
    ):
        model.ClearField(field)
    model.graph.ClearField("doc_string")
    model.graph.name = "g"
    used = {node.domain for node in model.graph.node}
    for place in range(len(model.opset_import) - 1, -1, -1):
        if model.opset_import[place].domain not in used | {""}:
            del model.opset_import[place]
    notes = [model, model.graph, *model.graph.node, *model.graph.initializer]
    for each in (*notes, *model.graph.input, *model.graph.output):
        del each.metadata_props[:]
        if each is not model and each is not model.graph:
            each.ClearField("doc_string")


def _short_names(model: onnx.ModelProto) -> dict[str, str]:
    """New names of all tensors: x.. for inputs, y.. for outputs, letters for the rest."""
    graph = model.graph
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return {}
    inputs = [each.name for each in graph.input]
    outputs = [each.name for each in graph.output]
    names = dict(zip(inputs, _numbered("x"), strict=False))
    names |= {
        n: new for n, new in zip(outputs, _numbered("y"), strict=False) if n not in names
    }
    free = (a + b for a in ("", *ascii_lowercase) for b in ascii_lowercase if b not in "xy")
    others = [each.name for each in graph.initializer]
    others += [name for node in graph.node for name in (*node.input, *node.output) if name]
    for name in dict.fromkeys(others):
        if name not in names:
            names[name] = next(free)
    return names


def _numbered(letter: str) -> Iterator[str]:
    yield letter
    yield from (f"{letter}{number}" for number in count(1))


def _renamed(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    for node in model.graph.node:
        node.ClearField("name")
        for field in (node.input, node.output):
            for index, name in enumerate(field):
                field[index] = names.get(name, name)
    for each in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        each.name = names.get(each.name, each.name)
    return model
