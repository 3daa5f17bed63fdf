"""Passes for graphs in graphs: the nodes of one branch take the place of an If."""

from collections.abc import Iterator

import onnx

from harness.reduce.problem import Problem


def open_branches(problem: Problem) -> None:
    """Replace each If by one of its branches, which may show the bug without it."""
    place = 0
    while place < len(problem.best.proto().graph.node):
        if not any(
            problem.offer_graph(model, problem.best.inputs)
            for model in _opened(problem.best.proto(), place)
        ):
            place += 1


def _opened(model: onnx.ModelProto, place: int) -> Iterator[onnx.ModelProto]:
    """The model with the node at a place replaced by each of its branches."""
    branches = [each.g for each in model.graph.node[place].attribute if each.HasField("g")]
    for branch in branches:
        if model.graph.node[place].op_type == "If" and not branch.input:
            yield _with_branch(model, place, branch)


def _with_branch(
    model: onnx.ModelProto, place: int, branch: onnx.GraphProto
) -> onnx.ModelProto:
    """A copy of the model; what the branch gives is called as the If's outputs were."""
    opened = onnx.ModelProto.FromString(model.SerializeToString())
    graph, nodes = opened.graph, list(model.graph.node)
    pairs = zip(branch.output, nodes[place].output, strict=True)
    names = {inner.name: outer for inner, outer in pairs if outer}
    inside = [onnx.NodeProto.FromString(each.SerializeToString()) for each in branch.node]
    for node in inside:
        for field in (node.input, node.output):
            for index, name in enumerate(field):
                field[index] = names.get(name, name)
    del graph.node[:]
    graph.node.extend([*nodes[:place], *inside, *nodes[place + 1 :]])
    graph.initializer.extend(branch.initializer)
    return opened
