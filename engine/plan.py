"""The plan: what runs as one, and why the rest stayed float."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.fusion.match import View
from engine.fusion.rewrite import Rewrite
from engine.ir import Node
from engine.kernels.parameters import ConvParameters

_QUANTIZED = ("Conv", "QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True, slots=True)
class Step:
    """One operation as it runs.

    ``kind`` is QConv (plain integer kernel), QConvBlocked, or an ONNX operator; ``rule`` the
    fusion rule behind it, or ``""``; ``nodes`` the ids of the source nodes it covers; ``inputs``
    and ``outputs`` source tensors at its edges.
    """

    kind: str
    rule: str
    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: ConvParameters | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        rule = f" [{self.rule}]" if self.rule else ""
        return (
            f"{', '.join(self.outputs)} = {self.kind}({', '.join(self.inputs)})"
            f"{rule}  # {' '.join(self.nodes)}"
        )


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
    view = rewrite.view
    return tuple(
        _explain(rewrite, node)
        for node in view.graph.nodes
        if node.op in _QUANTIZED and node.outputs[0] not in rewrite.covered
    )


def _explain(rewrite: Rewrite, node: Node) -> Kept:
    for quantize in _quantizers_after(rewrite.view, node):
        if found := rewrite.refusals.get(quantize.outputs[0]):
            rule, refusal = found
            return Kept(node.id, node.op, rule, refusal.guard, refusal.reason)
    return Kept(node.id, node.op, "R01", "pattern", _why_alone(rewrite.view, node))


def _quantizers_after(view: View, node: Node, depth: int = 3) -> Iterator[Node]:
    """The QuantizeLinear at which rules about ``node`` were tried: itself, or downstream.

    A pattern has at most a Conv and an activation in between.
    """
    if node.op == "QuantizeLinear":
        yield node
    elif depth:
        for user in view.users.get(node.outputs[0], ()):
            if user.op in ("Conv", "Relu", "Clip", "QuantizeLinear"):
                yield from _quantizers_after(view, user, depth - 1)


def _why_alone(view: View, node: Node) -> str:
    name = node.outputs[0]
    if node.op == "QuantizeLinear":
        source = view.producers.get(node.inputs[0])
        made = f"{source.op} {source.id}" if source else "a graph input or constant"
        return f"its input {node.inputs[0]!r} comes from {made}, which no rule fuses"
    users = view.users.get(name, ())
    what = "QuantizeLinear" if node.op == "Conv" else "Conv with a QuantizeLinear"
    if not users:
        return f"its output {name!r} is a graph output; no {what} follows"
    return f"its output {name!r} goes to {', '.join(f'{u.op} {u.id}' for u in users)}; no {what} follows"
