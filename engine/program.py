"""From a graph, rewritten or not, to a list of prepared operations, and running it.

Every tensor that is computed or given has a slot, a place in one list; constants are put among the
arguments of the operations when these are prepared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Graph, Node
from engine.kernels.operator import Kernel, Setting

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


class Operation(NamedTuple):
    """A node with the kernel that runs it; a tuple, because a campaign makes thousands a second.

    ``arguments`` holds the constants in their places and None elsewhere; ``reads`` pairs the other
    places with slots. ``writes`` is a slot for each output, None where nobody wants it, and
    ``result`` that of the first; ``last`` holds the slots that nobody reads afterwards.
    """

    node: Node
    kernel: Kernel
    arguments: list[Array | None]
    reads: list[tuple[int, int]]
    writes: list[int | None]
    result: int
    last: list[int]

    @property
    def step(self) -> Step:
        """What it is to a reader of the plan."""
        node = self.node
        return Step(
            self.kernel.kind or node.op,
            "+".join(node.rules),
            node.sources,
            tuple(node.inputs[place] for place, _ in self.reads),
            tuple(filter(None, node.outputs)),
            self.kernel.parameters,
        )


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
            arguments = operation.arguments.copy()
            for place, slot in operation.reads:
                arguments[place] = values[slot]
            try:
                computed = operation.kernel.run(*arguments)
            except MISFITS as error:
                raise EngineError(_misfit(operation, arguments, error)) from error
            if isinstance(computed, tuple):
                _store(operation.writes, computed, values)
            else:
                values[operation.result] = computed
            if not keep and operation.last:
                arguments.clear()
                computed = None
                for slot in operation.last:
                    values[slot] = None
        return values


def _store(writes: Sequence[int | None], computed: tuple[Any, ...], values: list[Any]) -> None:
    for slot, each in zip(writes, computed, strict=True):
        if slot is not None:
            values[slot] = each


def compile_graph(graph: Graph, setting: Setting) -> Program:
    """Every node as a prepared operation, in order.

    Raises:
        Unsupported: something that a kernel lacks.
        InvalidModel: attributes or constants that do not fit an operator.
    """
    names = [*(each.name for each in graph.inputs), *graph.captured]
    names += [name for node in graph.nodes for name in node.outputs if name]
    names += [name for name in graph.outputs if name in graph.constants]
    slots = {name: slot for slot, name in enumerate(names)}
    kernels = [_built(node, setting) for node in graph.nodes]
    seen = {slots[name] for name in graph.outputs}
    operations = [
        _operation(node, kernel, graph.constants, slots, seen)
        for node, kernel in zip(reversed(graph.nodes), reversed(kernels), strict=True)
    ]
    return Program(
        tuple(names),
        tuple(graph.constants.get(name) for name in names),
        tuple(slots[name] for name in graph.outputs),
        tuple(reversed(operations)),
    )


def _operation(
    node: Node,
    kernel: Kernel,
    constants: Mapping[str, Array],
    slots: Mapping[str, int],
    seen: set[int],
) -> Operation:
    """One operation; ``seen``, which it adds to, are the slots that are read after it."""
    arguments = [constants.get(name) for name in node.inputs]
    reads = [
        (place, slots[name])
        for place, name in enumerate(node.inputs)
        if name and arguments[place] is None
    ]
    writes = [slots[name] if name else None for name in node.outputs]
    last = [
        slot for slot in {*writes, *(slot for _, slot in reads)} - seen if slot is not None
    ]
    seen.update(last)
    return Operation(node, kernel, arguments, reads, writes, slots[node.key], last)


def _built(node: Node, setting: Setting) -> Kernel:
    try:
        built = setting.operators[node.op].build(node, setting)
    except MISFITS as error:
        raise InvalidModel(
            f"{node.op} {node.id!r}: its attributes or constants do not fit: {_first_line(error)}"
        ) from error
    return built if isinstance(built, Kernel) else Kernel(built)


def _misfit(operation: Operation, arguments: Sequence[Array | None], error: Exception) -> str:
    shapes = ", ".join(
        "none" if each is None else f"{each.dtype}{each.shape}" for each in arguments
    )
    step = operation.step
    return f"{step.kind} {step.nodes[-1]!r} cannot take {shapes}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
