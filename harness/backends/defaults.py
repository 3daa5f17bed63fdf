"""Inputs that have an initializer: a default value to ONNX, a constant to many engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.backends.graph import array_of
from harness.backends.protocol import Limit

if TYPE_CHECKING:
    import onnx

    from harness.backends.protocol import Array


def without_defaults(model: onnx.ModelProto, inputs: dict[str, Array]) -> dict[str, Array]:
    """The inputs without those that give an initializer the value that it has anyway.

    Raises:
        Limit: one gives an initializer another value.
    """
    constants = {each.name: each for each in model.graph.initializer if each.name in inputs}
    for name, constant in constants.items():
        if inputs[name].tobytes() != array_of(constant).tobytes():
            raise Limit(f"input {name} has an initializer, which this engine makes a constant")
    return {name: array for name, array in inputs.items() if name not in constants}
