"""What an operator is: its name, what a node of it may look like, and how a kernel is built."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from engine.ir import Array, Graph, Node
from engine.kernels.stages import Stages
from engine.profiles import Profile

Run = Callable[..., Any]
"""Takes the node's inputs, None where one is absent; gives an array, or a tuple of them."""

Stage = TypeVar("Stage", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Setting:
    """What a kernel is built from besides its node.

    ``replaced`` holds the stages that faults replaced, as ``"family.stage"``; ``operators`` is the
    table that a node with graphs of its own compiles them from.
    """

    graph: Graph
    profile: Profile
    stages: Stages
    replaced: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    rules_off: Collection[str] = ()
    operators: Mapping[str, "Operator"] = field(default_factory=dict)

    def stage(self, name: str, correct: Stage) -> Stage:
        """The stage ``name`` of a kernel: the correct one, unless a fault replaced it."""
        replacement: Any = self.replaced.get(name, correct)
        return replacement  # type: ignore[no-any-return]

    def constant(self, name: str) -> Array | None:
        """The array behind a name, None where it is absent or computed."""
        return self.graph.constants.get(name) if name else None


@dataclass(frozen=True, slots=True)
class Kernel:
    """A prepared operation; ``parameters`` is the record that triggers of faults look at.

    ``kind`` says which of several kernels it is, ``""`` for the operator's only one.
    """

    run: Run
    kind: str = ""
    parameters: Any = None


Build = Callable[[Node, Setting], Run | Kernel]
"""Reads a node's attributes and constants once, checks them, and gives what runs."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of ONNX, of com.microsoft, or (without domains) of fusion rules only.

    ``inputs`` and ``outputs`` are the fewest and the most that a node may have; ``since`` is the
    first opset that has it.
    """

    name: str
    build: Build
    attributes: frozenset[str]
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    domains: tuple[str, ...]
    since: int


MANY = 2**31
"""As the most inputs or outputs of a variadic operator."""


def operator(
    name: str,
    build: Build,
    attributes: str = "",
    *,
    inputs: int | tuple[int, int] = 1,
    outputs: int | tuple[int, int] = 1,
    domains: tuple[str, ...] = ("",),
    since: int = 1,
) -> Operator:
    """An entry of the operator table; ``attributes`` are names with blanks between."""
    low_high = [(n, n) if isinstance(n, int) else n for n in (inputs, outputs)]
    return Operator(
        name, build, frozenset(attributes.split()), low_high[0], low_high[1], domains, since
    )


CONTRIB = ("com.microsoft",)
"""The domain of onnxruntime's own operators."""

INTERNAL: tuple[str, ...] = ()
"""No domain: only fusion rules make such nodes."""
