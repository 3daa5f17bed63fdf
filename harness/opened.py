"""Graphs with branches, opened: the nodes of a branch take the place of an If."""

import numpy as np
import onnx
from onnx import numpy_helper

from corpus.case import Array, Case
from harness.cut import cut, exact_tensors

BRANCHES = ("else_branch", "then_branch")


def with_branch(model: onnx.ModelProto, place: int, name: str) -> onnx.ModelProto | None:
    """A copy of the model with a branch for the If at a place; None where there is no such branch.

    What the branch gives is called as the outputs of the If were.
    """
    node = model.graph.node[place]
    found = [each.g for each in node.attribute if each.name == name and each.HasField("g")]
    if node.op_type != "If" or not found or found[0].input:
        return None
    made = onnx.ModelProto.FromString(model.SerializeToString())
    pairs = zip(found[0].output, node.output, strict=True)
    names = {inner.name: outer for inner, outer in pairs if outer}
    nodes = list(model.graph.node)
    nodes[place : place + 1] = [_renamed(each, names) for each in found[0].node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    made.graph.initializer.extend(found[0].initializer)
    return made


def _renamed(node: onnx.NodeProto, names: dict[str, str]) -> onnx.NodeProto:
    renamed = onnx.NodeProto.FromString(node.SerializeToString())
    for field in (renamed.input, renamed.output):
        for index, name in enumerate(field):
            field[index] = names.get(name, name)
    return renamed


def opened(case: Case) -> Case | None:
    """The case with the branch that runs in the place of its first If.

    None where there is no If, or where neither the model nor our engine tells its condition.
    """
    model = case.proto()
    for place, node in enumerate(model.graph.node):
        condition = _value(model, case, node.input[0]) if node.op_type == "If" else None
        if condition is not None and condition.size == 1:
            made = with_branch(model, place, BRANCHES[bool(condition.item())])
            outputs = [each.name for each in model.graph.output]
            opened = Case(made.SerializeToString(), case.inputs) if made else None
            return cut(opened, outputs) if opened else None
    return None


def _value(model: onnx.ModelProto, case: Case, name: str) -> Array | None:
    if name in case.inputs:
        return case.inputs[name]
    constants = {each.name: each for each in model.graph.initializer}
    if name in constants:
        return np.asarray(numpy_helper.to_array(constants[name]))
    return exact_tensors(cut(case, [name])).get(name)
