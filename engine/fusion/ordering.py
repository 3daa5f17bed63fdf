"""The order in which the nodes of a rewritten graph run."""

from collections.abc import Iterable

from engine.ir import Node


def in_order(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes so that each comes after those it reads from, otherwise as they were."""
    waiting = list(nodes)
    missing = {name for node in waiting for name in node.outputs if name}
    ordered: list[Node] = []
    while waiting:
        later = []
        for node in waiting:
            if missing.isdisjoint(node.inputs):
                ordered.append(node)
                missing.difference_update(node.outputs)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise AssertionError(f"a rule made a cycle through {later[0]}")
        waiting = later
    return tuple(ordered)
