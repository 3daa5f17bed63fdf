"""What every fusion rule works with: the graph seen from its edges, and a rule's three answers."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.ir import Graph, Node
from engine.kernels.parameters import ConvParameters

_MOVES = ("Identity", "Reshape", "Transpose", "Flatten", "Concat", "MaxPool")


@dataclass(frozen=True, slots=True)
class Fused:
    """A rule's yes: ``nodes`` run as one, from the codes ``input`` to the codes ``output``.

    Without ``parameters`` the output is the input, unchanged.
    """

    rule: str
    nodes: tuple[Node, ...]
    input: str
    output: str
    parameters: ConvParameters | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule's no: the guard that stopped it, and why, with both values."""

    guard: str
    reason: str


Answer = Fused | Refusal | None
"""None: the nodes do not look like the rule's pattern at all."""


@dataclass(frozen=True, slots=True)
class View:
    """The graph with its edges; ``users`` lists a node once for each edge."""

    graph: Graph
    producers: Mapping[str, Node]
    users: Mapping[str, tuple[Node, ...]]
    rules_off: Collection[str]
    guards_off: Collection[str]

    @classmethod
    def of(
        cls, graph: Graph, rules_off: Collection[str], guards_off: Collection[str]
    ) -> "View":
        """Indexes a graph."""
        producers: dict[str, Node] = {}
        users: dict[str, tuple[Node, ...]] = {}
        for node in graph.nodes:
            for name in node.inputs:
                users[name] = (*users.get(name, ()), node)
            for name in node.outputs:
                producers[name] = node
        return cls(graph, producers, users, rules_off, guards_off)

    def producer(self, name: str, op: str) -> Node | None:
        """The node of kind ``op`` that computes a tensor, if one does."""
        node = self.producers.get(name)
        return node if node is not None and node.op == op else None

    def why_shared(self, name: str) -> str:
        """Who else needs a tensor besides one consumer, in words; ``""`` where nobody does."""
        if name in self.graph.outputs:
            return f"{name!r} is a graph output"
        users = self.users.get(name, ())
        if len(users) > 1:
            return (
                f"{name!r} has {len(users)} consumers: {', '.join(each.id for each in users)}"
            )
        return ""

    def code_dtype(self, name: str) -> np.dtype[Any] | None:
        """The type of a tensor of codes, where the graph fixes it."""
        node = self.producers.get(name)
        while node is not None and node.op in _MOVES:
            name = node.inputs[0]
            node = self.producers.get(name)
        constant = self.graph.constants.get(name)
        if constant is not None:
            return constant.dtype
        if node is None:
            return next((each.dtype for each in self.graph.inputs if each.name == name), None)
        if node.op == "QLinearConv":
            return self.code_dtype(node.inputs[7])
        if node.op != "QuantizeLinear":
            return np.dtype(np.float32)
        if zero_point := node.input(2):
            return self.code_dtype(zero_point)
        return (
            np.dtype(np.int8)
            if node.attributes.get("output_dtype") == 3
            else np.dtype(np.uint8)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A rewrite, tried at each QuantizeLinear, that keeps every value."""

    id: str
    title: str
    match: Callable[[View, Node], Answer]
