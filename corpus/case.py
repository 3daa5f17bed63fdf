"""A case: a model plus its inputs, and nothing that depends on who runs it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A serialized ONNX model and one array for each of its graph inputs.

    ``origin`` says how the case came to be, in words that recreate it (``"conv tie-rich 17"``);
    ``cells`` are the names of the coverage cells that the case belongs to.
    """

    model: bytes
    inputs: Mapping[str, Array]
    origin: str = ""
    cells: tuple[str, ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        """In one line: of bytes and arrays, how many; a failing test shows it."""
        inputs = (
            f", {name} {array.dtype}[{'x'.join(map(str, array.shape))}]"
            for name, array in self.inputs.items()
        )
        return f"Case({self.origin or 'drawn'}: {len(self.model)} bytes{''.join(inputs)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The same for IPython and Hypothesis, which would print every field."""
        printer.text(repr(self))

    def proto(self) -> onnx.ModelProto:
        """The parsed model; a fresh object each time, so a caller may change it."""
        return onnx.ModelProto.FromString(self.model)

    def with_model(self, model: onnx.ModelProto) -> "Case":
        """The same inputs on another model."""
        return replace(self, model=model.SerializeToString())

    def with_inputs(self, inputs: Mapping[str, Array]) -> "Case":
        """The same model on other inputs."""
        return replace(self, inputs=dict(inputs))

    @property
    def digest(self) -> str:
        """SHA-256 over the model and the inputs (name, dtype, shape, bytes), in hex."""
        state = hashlib.sha256(self.model)
        for name in sorted(self.inputs):
            array = np.ascontiguousarray(self.inputs[name])
            state.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
            state.update(array.tobytes())
        return state.hexdigest()


def node_id(node: onnx.NodeProto) -> str:
    """The name a person can find a node by: its own, else its first output's."""
    return str(node.name or node.output[0])
