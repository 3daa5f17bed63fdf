"""A graph with what its tensors are made of; a branch of an If looks around itself for the rest."""

from collections.abc import Collection, Sequence

from corpus.case import Array
from harness.oracle.graph import Graph, Node, read_tensor
from harness.oracle.operators import constant_array


class Scope:
    """A graph, and the constants it holds or finds around it; keeps those it has read."""

    def __init__(self, graph: Graph, around: "Scope | None" = None) -> None:
        self.graph = graph
        self._around = around
        self._producer = {name: node for node in graph.nodes for name in node.outputs if name}
        self._constants: dict[str, Array] = {}
        self._branches: dict[tuple[str, ...], Scope] = {}

    def plan(self, wanted: Sequence[str], known: Collection[str]) -> list[Node]:
        """The nodes that ``wanted`` needs beyond ``known``, in order."""
        needed, chosen = set(wanted), []
        for node in reversed(self.graph.nodes):
            if not needed.isdisjoint(node.outputs):
                chosen.append(node)
                needed.update(name for name in node.inputs if name not in known)
        return chosen[::-1]

    def constant(self, name: str) -> Array | None:
        """An initializer or the output of a Constant node, here or around; None if it is neither."""
        if name not in self._constants:
            node = self._producer.get(name)
            if name in self.graph.constants:
                self._constants[name] = read_tensor(self.graph.constants[name])
            elif node is not None and node.op == "Constant":
                self._constants[name] = constant_array(node)
            elif node is not None and node.op == "Identity":
                return self.constant(node.input(0))
            else:
                return self._around.constant(name) if self._around and node is None else None
        return self._constants[name]

    def branch(self, node: Node, name: str) -> "Scope":
        """The scope of a branch of a node of this graph."""
        key = (*node.outputs, name)
        if key not in self._branches:
            self._branches[key] = Scope(node.attributes[name], self)
        return self._branches[key]
