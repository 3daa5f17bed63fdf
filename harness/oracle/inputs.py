"""A node's inputs as its judge asks for them: sets for data, arrays for what must be known."""

from collections.abc import Callable

from corpus.case import Array
from harness.oracle.graph import Node
from harness.oracle.values import Codes, Reals, Silent, Value


class Inputs:
    """A node's inputs: sets for data, arrays for parameters that must be constants."""

    def __init__(
        self,
        node: Node,
        value_of: Callable[[str], Value],
        array_of: Callable[[str], Array | None],
    ) -> None:
        self._node, self._value_of, self._array_of = node, value_of, array_of

    def has(self, index: int) -> bool:
        """Whether the input is given."""
        return self._node.input(index) != ""

    def reals(self, index: int) -> Reals:
        """A float input."""
        value = self.value(index)
        if not isinstance(value, Reals):
            raise Silent(f"input {index} is an integer tensor", self._node.where)
        return value

    def codes(self, index: int) -> Codes:
        """An integer input."""
        value = self.value(index)
        if not isinstance(value, Codes):
            raise Silent(f"input {index} is a float tensor", self._node.where)
        return value

    def value(self, index: int) -> Value:
        """Any input that must be given."""
        return self._value_of(self._required(index))

    def array(self, index: int) -> Array:
        """A parameter (scale, zero point, shape): a constant, or a tensor whose value is known."""
        name = self._required(index)
        array = self._array_of(name)
        if array is None:
            raise Silent(
                f"{name!r} is computed, and no value of it is known", self._node.where
            )
        return array

    def optional(self, index: int) -> Array | None:
        """A parameter that may be left out."""
        return self.array(index) if self.has(index) else None

    def _required(self, index: int) -> str:
        name = self._node.input(index)
        if name == "":
            raise Silent(f"input {index} is missing", self._node.where)
        return name
