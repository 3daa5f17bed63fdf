"""One operator with quantized operands: what it is, and everything around it."""

from dataclasses import dataclass, fields, replace
from typing import Any

from corpus.case import Array

Attribute = int | float | str | tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Operand:
    """A tensor that the node reads or makes.

    With ``scales`` it is codes of type ``dtype`` and has a DequantizeLinear (a result: a
    QuantizeLinear); without, it is a plain tensor of type ``dtype``. One scale serves the tensor,
    several lie along ``axis``; with a ``block_size`` there are as many as ``parameters_shape`` says.
    ``constant`` operands are initializers, others graph inputs. The values come from (kind, seed),
    see ``generators.arrays``, unless ``array`` holds them: codes, or reals that are quantized first. An operand without a name is absent; a
    result without a ``dtype`` is made, but nobody reads it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "uint8"
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = (0,)
    axis: int | None = None
    block_size: int = 0
    constant: bool = False
    kind: str = "random"
    seed: int = 0
    array: Array | None = None

    @property
    def is_quantized(self) -> bool:
        """Whether it is codes with a scale."""
        return bool(self.scales)

    @property
    def is_read(self) -> bool:
        """Whether a result leaves the graph."""
        return bool(self.dtype)

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """The shape of its scale: a scalar, a row along the axis, or one for each block."""
        if self.axis is None:
            return ()
        if not self.block_size:
            return (self.shape[self.axis],)
        axis = self.axis % len(self.shape)
        blocks = -(-self.shape[axis] // self.block_size)
        return (*self.shape[:axis], blocks, *self.shape[axis + 1 :])


@dataclass(frozen=True, slots=True)
class Tail:
    """An operator between the node and its QuantizeLinear.

    ``constants`` are its other inputs: float32 scalars, or rows where there are several values.
    ``twice`` gives it the tensor in front of the previous tail as well (``x * sigmoid(x)``).
    """

    op: str
    attributes: tuple[tuple[str, Attribute], ...] = ()
    constants: tuple[tuple[float, ...], ...] = ()
    twice: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class NodeSpec:
    """One operator between DequantizeLinear and QuantizeLinear, or an operator on codes.

    ``form`` is ``QDQ``, or the name of the operator on codes (``QLinearAdd``, ``QGemm``, ...).
    An empty ``op`` is no operator at all: one operand, converted and perhaps converted back.
    ``tails`` follow in Q/DQ form. ``x_float``: the first operand enters as reals and a
    QuantizeLinear makes the codes; ``y_float``: the first result leaves as reals.
    ``zero_points_written`` is false where zero zero points are left to their default; ``spelled`` are
    attributes of Q and DQ that are written though they say their default.
    """

    op: str
    operands: tuple[Operand, ...]
    results: tuple[Operand, ...]
    attributes: tuple[tuple[str, Attribute], ...] = ()
    form: str = "QDQ"
    tails: tuple[Tail, ...] = ()
    opset: int = 17
    x_float: bool = False
    y_float: bool = False
    zero_points_written: bool = True
    spelled: tuple[str, ...] = ()

    def key(self) -> tuple[Any, ...]:
        """All parameters, arrays as their dtype, shape and bytes: equal for equal specs."""
        tensors = tuple(map(_hashable, (*self.operands, *self.results)))
        return (tensors, len(self.operands), *(getattr(self, name) for name in _OWN))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NodeSpec) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())


_OWN = tuple(
    each.name for each in fields(NodeSpec) if each.name not in ("operands", "results")
)
_TENSOR = tuple(each.name for each in fields(Operand) if each.name != "array")


def _hashable(tensor: Operand) -> tuple[Any, ...]:
    array = tensor.array
    data = None if array is None else (array.dtype.str, array.shape, array.tobytes())
    return (*(getattr(tensor, name) for name in _TENSOR), data)


def on_axis(operand: Operand, axis: int, scales: tuple[float, ...]) -> Operand:
    """The operand with scales along an axis, and as many zero points."""
    zeros = tuple(operand.zero_points[0] for _ in scales)
    return replace(operand, axis=axis, scales=scales, zero_points=zeros)
