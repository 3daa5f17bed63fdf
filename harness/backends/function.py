"""The smallest backend: one function ``run(model, inputs) -> outputs``, as ``mymodule:run``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import onnx

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.backends.protocol import Adapter, Array


class Function:
    """Adapter of a plain function; options of the backend's name become keyword arguments."""

    def __init__(self, function: Callable[..., dict[str, Array]], name: str) -> None:
        self._function, self._name = function, name

    def describe(self) -> dict[str, Any]:
        """Only the name: a function says nothing about itself."""
        return {"name": self._name}

    def run(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Array]:
        """Call the function with the parsed model."""
        return self._function(onnx.ModelProto.FromString(model), inputs, **options)


class Object:
    """Adapter of a user's object that has ``run`` and perhaps ``describe`` and ``tap``."""

    def __init__(self, subject: Any, name: str) -> None:
        self._subject, self._name = subject, name
        self.run = subject.run
        if hasattr(subject, "tap"):
            self.tap = subject.tap

    def describe(self) -> dict[str, Any]:
        """What the object says, with name and taps filled in."""
        said = self._subject.describe() if hasattr(self._subject, "describe") else {}
        return dict({"name": self._name, "taps": hasattr(self._subject, "tap")}, **said)


def adapter_of(found: Any, name: str) -> Adapter:
    """The adapter for whatever ``package.module:attribute`` is.

    Raises:
        TypeError: it is neither a function nor an object with a method ``run``.
    """
    subject = found() if inspect.isclass(found) else found
    if hasattr(subject, "run"):
        adapter: Adapter = Object(subject, name)
        return adapter
    if callable(subject):
        return Function(subject, name)
    raise TypeError(f"{name} is neither a function nor an object with a method run")
