"""The typed graph that everything behind the ONNX import works on: frozen and printable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Attribute: TypeAlias = (
    "int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Array | Graph"
)


@dataclass(frozen=True, slots=True)
class Value:
    """A graph input or output: ``shape`` is None where unknown, a dimension where symbolic."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        dims = "?" if self.shape is None else ",".join(str(d or "?") for d in self.shape)
        return f"{self.name}: {self.dtype}[{dims}]"


@dataclass(frozen=True, slots=True)
class Node:
    """One operator; ``id`` is its name, or its first output's; ``""`` is an absent input.

    ``origin`` holds the ids of the source nodes it stands for, ``rules`` the fusion rules that made
    it; both are empty in a graph as it was read.
    """

    id: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    origin: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its first output, which names it in a graph (ids may repeat)."""
        return self.outputs[0] or next(filter(None, self.outputs))

    @property
    def sources(self) -> tuple[str, ...]:
        """The ids of the source nodes it stands for, itself in a graph as it was read."""
        return self.origin or (self.id,)

    def input(self, index: int) -> str:
        """The name of an input, ``""`` where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def __str__(self) -> str:
        return f"{', '.join(self.outputs)} = {self.op}({', '.join(self.inputs)})  # {self.id}"


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in execution order; ``constants`` are initializers and Constant nodes.

    ``defaults`` are inputs that a caller may leave out, and what they are then. ``captured`` names
    the tensors that a branch of an If reads from the graph around it.
    """

    opset: int
    inputs: tuple[Value, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Array]
    nodes: tuple[Node, ...]
    defaults: Mapping[str, Array] = field(default_factory=dict)
    captured: tuple[str, ...] = ()

    def constant(self, name: str) -> Array | None:
        """The array behind a name, None where the name is absent or computed."""
        return self.constants.get(name)

    def __str__(self) -> str:
        head = f"opset {self.opset}: {', '.join(map(str, self.inputs))} -> {', '.join(self.outputs)}"
        return "\n".join([head, *(f"  {node}" for node in self.nodes)])
