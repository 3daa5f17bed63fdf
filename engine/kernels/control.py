"""If: one of two graphs, which read the tensors around them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Graph, Node
from engine.kernels.operator import MANY, Setting, operator
from engine.program import Program, compile_graph

Branch = Callable[[dict[str, Array]], tuple[Array, ...]]


def choose(node: Node, setting: Setting) -> Callable[..., tuple[Array, ...]]:
    """``y = then_branch() if cond else else_branch()``; only the chosen branch runs.

    The inputs after ``cond`` are the tensors that the branches read from around them. No rule looks
    into a branch: it runs node by node, with the profile and the faults of the session.

    Source:
        ONNX If-1 to -25.
    """
    names = node.inputs[1:]
    then_branch, else_branch = (
        _branch(node, setting, name) for name in ("then_branch", "else_branch")
    )

    def run(condition: Array, *captured: Array) -> tuple[Array, ...]:
        if condition.dtype != np.bool_ or condition.size != 1:
            raise EngineError(
                f"If {node.id!r}: cond is {condition.dtype}{condition.shape}; it must be one bool"
            )
        around = dict(zip(names, captured, strict=True))
        return then_branch(around) if condition.item() else else_branch(around)

    return run


def _branch(node: Node, setting: Setting, name: str) -> Branch:
    graph = node.attributes.get(name)
    if not isinstance(graph, Graph):
        raise InvalidModel(f"If {node.id!r} has no {name}; {name} must be a graph")
    program: Program = compile_graph(graph, replace(setting, graph=graph))
    outputs = program.outputs[: len(node.outputs)]

    def run(around: dict[str, Array]) -> tuple[Any, ...]:
        values = program.run([around[each] for each in graph.captured])
        return tuple(values[slot] for slot in outputs)

    return run


OPERATORS = (operator("If", choose, "then_branch else_branch", outputs=(1, MANY)),)
"""Loop and Scan are not among them: a model that has one is refused by name."""
