"""From a graph, rewritten or not, to a list of prepared operations, and running it.

Every tensor that is computed or given has a slot, a place in one list; constants are put among the
arguments of the operations when these are prepared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Graph, Node
from engine.kernels.operator import Kernel, Run, Setting

MISFITS = (ValueError, TypeError, IndexError, OverflowError, MemoryError)
"""What numpy raises where a tensor or a constant does not fit an operator."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation as it runs.

    ``kind`` is QConv (plain integer kernel), QConvBlocked, or an operator; ``rule`` the fusion
    rules behind it with ``+`` between, or ``""``; ``nodes`` the ids of the source nodes it covers;
    ``inputs`` and ``outputs`` the tensors at its edges, constants apart; ``parameters`` the record of
    a quantized kernel.
    """

    kind: str
    rule: str
    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: Any = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        rule = f" [{self.rule}]" if self.rule else ""
        return (
            f"{', '.join(self.outputs)} = {self.kind}({', '.join(self.inputs)})"
            f"{rule}  # {' '.join(self.nodes)}"
        )


@dataclass(frozen=True, slots=True)
class Operation:
    """A step with the function that runs it.

    ``arguments`` holds the constants in their places and None elsewhere; ``reads`` pairs the other
    places with slots. ``writes`` is a slot for each output, None where nobody wants it; ``last``
    holds the slots that nobody reads afterwards.
    """

    step: Step
    run: Run
    arguments: tuple[Array | None, ...]
    reads: tuple[tuple[int, int], ...]
    writes: tuple[int | None, ...]
    last: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """Operations in order, and the list they work on.

    ``names`` says which tensor is in which slot: first what is given to ``run``, in its order.
    ``start`` is the list before anything ran, empty but for constants that are outputs.
    """

    names: tuple[str, ...]
    start: tuple[Array | None, ...]
    outputs: tuple[int, ...]
    operations: tuple[Operation, ...]

    def run(self, given: Sequence[Array], keep: bool = False) -> list[Any]:
        """The list after all operations; emptied as early as possible, unless ``keep``.

        Raises:
            EngineError: a tensor does not fit the operator that reads it.
        """
        values: list[Any] = [*given, *self.start[len(given) :]]
        for operation in self.operations:
            arguments = list(operation.arguments)
            for place, slot in operation.reads:
                arguments[place] = values[slot]
            try:
                computed = operation.run(*arguments)
            except MISFITS as error:
                raise EngineError(_misfit(operation, arguments, error)) from error
            _store(operation, computed, values)
            if not keep:
                del arguments, computed
                for slot in operation.last:
                    values[slot] = None
        return values


def _store(operation: Operation, computed: Any, values: list[Any]) -> None:
    if not isinstance(computed, tuple):
        computed = (computed,)
    for slot, each in zip(operation.writes, computed, strict=True):
        if slot is not None:
            values[slot] = each


def compile_graph(graph: Graph, setting: Setting) -> Program:
    """Every node as a prepared operation, in order.

    Raises:
        Unsupported: something that a kernel lacks.
        InvalidModel: attributes or constants that do not fit an operator.
    """
    given = (*(each.name for each in graph.inputs), *graph.captured)
    made = (name for node in graph.nodes for name in node.outputs if name)
    constant = (name for name in graph.outputs if name in graph.constants)
    names = tuple(dict.fromkeys((*given, *made, *constant)))
    slots = {name: slot for slot, name in enumerate(names)}
    last = _last_reads(graph)
    return Program(
        names,
        tuple(graph.constants.get(name) for name in names),
        tuple(slots[name] for name in graph.outputs),
        tuple(
            _operation(node, setting, slots, last.get(node.key, ())) for node in graph.nodes
        ),
    )


def _operation(
    node: Node, setting: Setting, slots: Mapping[str, int], last: Iterable[str]
) -> Operation:
    kernel = _built(node, setting)
    constants = setting.graph.constants
    step = Step(
        kernel.kind or node.op,
        "+".join(node.rules),
        node.sources,
        tuple(name for name in node.inputs if name and name not in constants),
        tuple(name for name in node.outputs if name),
        kernel.parameters,
    )
    return Operation(
        step,
        kernel.run,
        tuple(constants.get(name) if name else None for name in node.inputs),
        tuple(
            (place, slots[name])
            for place, name in enumerate(node.inputs)
            if name and name not in constants
        ),
        tuple(slots[name] if name else None for name in node.outputs),
        tuple(slots[name] for name in last),
    )


def _built(node: Node, setting: Setting) -> Kernel:
    try:
        built = setting.operators[node.op].build(node, setting)
    except MISFITS as error:
        raise InvalidModel(
            f"{node.op} {node.id!r}: its attributes or constants do not fit: {_first_line(error)}"
        ) from error
    return built if isinstance(built, Kernel) else Kernel(built)


def _last_reads(graph: Graph) -> dict[str, list[str]]:
    """For each node, by key, the computed tensors and inputs that it is the last to read."""
    seen: set[str] = {*graph.constants, *graph.outputs}
    last: dict[str, list[str]] = {}
    for node in reversed(graph.nodes):
        for name in dict.fromkeys((*node.inputs, *node.outputs)):
            if name and name not in seen:
                seen.add(name)
                last.setdefault(node.key, []).append(name)
    return last


def _misfit(operation: Operation, arguments: Sequence[Array | None], error: Exception) -> str:
    shapes = ", ".join(
        "none" if each is None else f"{each.dtype}{each.shape}" for each in arguments
    )
    step = operation.step
    return f"{step.kind} {step.nodes[-1]!r} cannot take {shapes}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
