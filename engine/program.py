"""From a graph, rewritten or not, to a list of prepared operations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.ir import Array, Graph, Node
from engine.kernels.operator import Kernel, Run, Setting
from engine.kernels.operators import OPERATORS
from engine.plan import Step


@dataclass(frozen=True, slots=True)
class Operation:
    """A step with the function that runs it on the tensors ``arguments``.

    ``last`` names the tensors that nobody reads after it.
    """

    step: Step
    run: Run
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    last: tuple[str, ...]


def compile_graph(graph: Graph, setting: Setting) -> list[Operation]:
    """Every node as a prepared operation, in order."""
    last = _last_reads(graph)
    return [_operation(node, setting, last.get(node.key, ())) for node in graph.nodes]


def _operation(node: Node, setting: Setting, last: Iterable[str]) -> Operation:
    built = OPERATORS[node.op].build(node, setting)
    kernel = built if isinstance(built, Kernel) else Kernel(built)
    constants = setting.graph.constants
    step = Step(
        kernel.kind or node.op,
        "+".join(node.rules),
        node.sources,
        tuple(name for name in node.inputs if name and name not in constants),
        tuple(name for name in node.outputs if name),
        kernel.parameters,
    )
    return Operation(step, kernel.run, node.inputs, node.outputs, tuple(last))


def _last_reads(graph: Graph) -> dict[str, list[str]]:
    """For each node, by key, the computed tensors and inputs that it is the last to read."""
    kept = {*graph.constants, *graph.outputs}
    seen: set[str] = set(kept)
    last: dict[str, list[str]] = {}
    for node in reversed(graph.nodes):
        for name in dict.fromkeys((*node.inputs, *node.outputs)):
            if name and name not in seen:
                seen.add(name)
                last.setdefault(node.key, []).append(name)
    return last


def results(operation: Operation, computed: Array | Sequence[Array]) -> dict[str, Array]:
    """What an operation computed, by tensor name."""
    if isinstance(computed, tuple):
        pairs = zip(operation.outputs, computed, strict=True)
        return {name: each for name, each in pairs if name}
    return {operation.outputs[0]: computed}  # type: ignore[dict-item]
