"""The plan: what runs as one, and why the rest stayed float."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.fusion.match import View
from engine.fusion.rewrite import Refused, Rewrite
from engine.ir import Node
from engine.program import Step

_QUANTIZED = ("Conv", "QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True, slots=True)
class Kept:
    """A Conv, QuantizeLinear or DequantizeLinear that runs in float, and the guard that says so.

    ``guard`` is ``"pattern"`` where no rule is for such nodes, ``"off"`` where one is switched off.
    """

    node: str
    op: str
    rule: str
    guard: str
    reason: str

    def __str__(self) -> str:
        return f"{self.op} {self.node} stays float: {self.reason} [{self.rule} {self.guard}]"


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in the order they run, and what was kept."""

    steps: tuple[Step, ...]
    kept: tuple[Kept, ...]

    def __str__(self) -> str:
        return "\n".join([*map(str, self.steps), *map(str, self.kept)])


def kept_nodes(rewrite: Rewrite) -> tuple[Kept, ...]:
    """Why each quantization node and Conv that no rule covers was left alone."""
    return tuple(
        _explain(rewrite, node)
        for node in rewrite.graph.nodes
        if node.op in _QUANTIZED and not node.rules
    )


def _explain(rewrite: Rewrite, node: Node) -> Kept:
    for found in _near(rewrite, node):
        return Kept(node.id, node.op, found.rule, found.refusal.guard, found.refusal.reason)
    return Kept(node.id, node.op, "R01", "pattern", _why_alone(rewrite.view, node))


def _near(rewrite: Rewrite, node: Node, depth: int = 3) -> Iterator[Refused]:
    """What stopped the rules at a node, at those that feed a QuantizeLinear, at those it feeds."""
    view, refused = rewrite.view, rewrite.refused
    if node.key in refused:
        yield refused[node.key]
    if node.op == "QuantizeLinear":
        before = view.producer(node.inputs[0])
        while before is not None and before.op in _BETWEEN:
            before = view.producer(before.inputs[0])
        if before is not None and before.key in refused:
            yield refused[before.key]
    elif depth:
        for user in view.users(node.outputs[0]):
            if user.op in _COMPUTES or user.op in _BETWEEN or user.op == "QuantizeLinear":
                yield from _near(rewrite, user, depth - 1)


_BETWEEN = ("Relu", "Clip")
_COMPUTES = ("Conv",)


def _why_alone(view: View, node: Node) -> str:
    name = node.outputs[0]
    if node.op == "QuantizeLinear":
        source = view.producer(node.inputs[0])
        made = f"{source.op} {source.id}" if source else "a graph input or constant"
        return f"its input {node.inputs[0]!r} comes from {made}, which no rule fuses"
    users = view.users(name)
    what = "QuantizeLinear" if node.op == "Conv" else "Conv with a QuantizeLinear"
    if not users:
        return f"its output {name!r} is a graph output; no {what} follows"
    return f"its output {name!r} goes to {', '.join(f'{u.op} {u.id}' for u in users)}; no {what} follows"
