"""A graph while it grows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from onnx import TensorProto, numpy_helper

from corpus.case import Array, Case
from generators import wire

OUTPUT_DTYPE_OPSET = 21  # QuantizeLinear's output_dtype
SPELLED: Mapping[str, int] = MappingProxyType(
    {"axis": 13, "saturate": 19, "output_dtype": 21, "block_size": 21, "precision": 23}
)
"""Attributes of Q and DQ that may say what holds anyway, and since when there are these."""
_NAMES = {number: name for name, number in wire.ELEMENT_TYPES.items()}
_LATER = MappingProxyType({("DequantizeLinear", "output_dtype"): 23})


@dataclass(frozen=True, slots=True)
class Pair:
    """The names of one scale and one zero point; ``zero`` is empty where the default serves."""

    scale: str
    zero: str
    dtype: str
    per_channel: bool = False


class GraphBuilder:
    """Collects nodes, initializers and outputs in order; each method returns the name it made.

    ``zero_points_written`` is false where zero zero points are to be left to their default;
    ``constants_are_nodes``, once set, makes Constant nodes of what would be initializers;
    ``spelled`` names attributes of Q and DQ that are written though they say their default.
    """

    def __init__(
        self, opset: int, *, zero_points_written: bool = True, spelled: Sequence[str] = ()
    ) -> None:
        self.opset = opset
        self.zero_points_written = zero_points_written
        self.constants_are_nodes = False
        self._spelled = spelled
        self._nodes: list[bytes] = []
        self._initializers: list[bytes] = []
        self._outputs: list[bytes] = []
        self._inputs: dict[str, Array] = {}
        self._declared: dict[str, bytes] = {}
        self._domains: dict[str, None] = {}

    def node(
        self,
        op: str,
        name: str,
        inputs: Sequence[str],
        output: str,
        attributes: Sequence[bytes] = (),
    ) -> str:
        """Append a node; returns its output."""
        self._nodes.append(wire.node(op, name, tuple(inputs), output, attributes))
        return output

    def foreign(
        self,
        op: str,
        name: str,
        inputs: Sequence[str],
        outputs: tuple[str, ...],
        attributes: Sequence[bytes] = (),
        domain: str = "",
    ) -> None:
        """Append a node with any number of outputs, of any domain."""
        if domain:
            self._domains[domain] = None
        self._nodes.append(wire.node(op, name, tuple(inputs), outputs, attributes, domain))

    def array(self, name: str, array: Array) -> str:
        """Append an initializer."""
        return self._keep(name, wire.tensor(name, array))

    def scale(self, name: str, values: Sequence[float]) -> str:
        """Append a scale, or another float32 parameter: a scalar for one value."""
        return self._keep(name, wire.scale(name, values))

    def zero_point(self, name: str, dtype: str, values: Sequence[int]) -> str:
        """Append a zero point: a scalar for one value."""
        return self._keep(name, wire.zero_point(name, dtype, values))

    def _keep(self, name: str, tensor: bytes) -> str:
        if not self.constants_are_nodes:
            self._initializers.append(tensor)
            return name
        return self.node("Constant", f"n_{name}", (), name, [wire.held("value", tensor)])

    def constant(self, name: str, array: Array) -> str:
        """Append a Constant node."""
        value = wire.held("value", wire.tensor("", array))
        return self.node("Constant", f"n_{name}", (), name, [value])

    def initializer(self, name: str) -> Array:
        """The values of an initializer.

        Raises:
            StopIteration: there is none of that name.
        """
        read = map(TensorProto.FromString, self._initializers)
        found: Array = numpy_helper.to_array(next(each for each in read if each.name == name))
        return found

    def output(self, name: str, dtype: str, shape: tuple[int | str, ...]) -> str:
        """Declare a graph output."""
        self._outputs.append(wire.value_info(name, dtype, shape))
        return name

    def pair(self, letter: str, dtype: str, scale: float, zero_point: int) -> Pair:
        """Append the parameters of an activation; a zero point is left out where it may be."""
        scale_name = self.scale(f"{letter}s", (scale,))
        has_default = dtype == "uint8" or self.opset >= OUTPUT_DTYPE_OPSET
        if not (self.zero_points_written or zero_point) and has_default:
            return Pair(scale_name, "", dtype)
        return Pair(scale_name, self.zero_point(f"{letter}z", dtype, (zero_point,)), dtype)

    def constant_pair(
        self, letter: str, dtype: str, scales: tuple[float, ...], zeros: tuple[int, ...]
    ) -> Pair:
        """Append the parameters of a weight or bias: one entry, or one per output channel."""
        length = max(len(scales), len(zeros))
        scale = self.scale(f"{letter}s", scales * (length // len(scales)))
        zero = ""
        if self.zero_points_written or any(zeros):
            zero = self.zero_point(f"{letter}z", dtype, zeros * (length // len(zeros)))
        return Pair(scale, zero, dtype, length > 1)

    def spelled(
        self, op: str, pair: Pair, *, has_axis: bool, has_blocks: bool = False
    ) -> list[bytes]:
        """The attributes of a Q or DQ that say their default; not those that say something."""
        return [
            wire.integer(name, value)
            for name, value in _defaults(op, pair, has_axis, has_blocks).items()
            if name in self._spelled and self.opset >= _LATER.get((op, name), SPELLED[name])
        ]

    def quantize(
        self,
        name: str,
        real: str,
        pair: Pair,
        output: str,
        spelled: Sequence[bytes] | None = None,
    ) -> str:
        """Append a QuantizeLinear."""
        if spelled is None:
            spelled = self.spelled("QuantizeLinear", pair, has_axis=True)
        inputs = [real, pair.scale, pair.zero] if pair.zero else [real, pair.scale]
        if pair.zero or pair.dtype == "uint8":
            return self.node("QuantizeLinear", name, inputs, output, spelled)
        dtype = wire.integer("output_dtype", wire.ELEMENT_TYPES[pair.dtype])
        return self.node("QuantizeLinear", name, inputs, output, [dtype, *spelled])

    def dequantize(self, name: str, code: str, pair: Pair, output: str, axis: int = 0) -> str:
        """Append a DequantizeLinear; parameters of channels lie along ``axis``."""
        inputs = [code, pair.scale, pair.zero] if pair.zero else [code, pair.scale]
        attributes = [wire.integer("axis", axis)] if pair.per_channel else []
        attributes += self.spelled("DequantizeLinear", pair, has_axis=True)
        return self.node("DequantizeLinear", name, inputs, output, attributes)

    def input(
        self, name: str, array: Array, declared: tuple[int | str, ...] | None = None
    ) -> str:
        """Declare a graph input, with its value; ``declared`` may leave sizes open."""
        self._inputs[name] = array
        self.declare(name, array, declared)
        return name

    def declare(
        self, name: str, array: Array, declared: tuple[int | str, ...] | None = None
    ) -> None:
        """Declare a graph input without giving it a value; an initializer may be one too."""
        shape = array.shape if declared is None else declared
        self._declared[name] = wire.value_info(name, array.dtype.name, shape)

    def declare_initializers(self) -> None:
        """Declare every initializer as a graph input, as IR version 3 and older want it."""
        for each in self._initializers:
            tensor = TensorProto.FromString(each)
            dtype = _NAMES[tensor.data_type]
            self._declared[tensor.name] = wire.value_info(tensor.name, dtype, (*tensor.dims,))

    def branch(self, name: str) -> bytes:
        """The graph as that of an attribute: what it lacks, it takes from around it."""
        return wire.graph(name, self._nodes, (), self._outputs, self._initializers)

    def case(self, ir: int = 0) -> Case:
        """The finished graph with all its inputs; ``ir`` is an IR version not of the opset."""
        parts = (self._nodes, self._declared.values(), self._outputs, self._initializers)
        return Case(wire.model(*parts, self.opset, self._domains, ir), dict(self._inputs))


def _defaults(op: str, pair: Pair, has_axis: bool, has_blocks: bool) -> dict[str, int]:
    """What a Q or DQ may say of itself, in values that hold anyway."""
    found = {} if has_axis else {"axis": 1}
    found |= {} if has_blocks else {"block_size": 0}
    if op == "DequantizeLinear":
        return found | {"output_dtype": wire.ELEMENT_TYPES["float32"]}
    found |= {"saturate": 1, "precision": wire.ELEMENT_TYPES["float32"]}
    return found | ({"output_dtype": wire.ELEMENT_TYPES[pair.dtype]} if pair.zero else {})
