"""What the families share: codes with fitting scales, and a spec from its parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from corpus.case import Array
from generators import arrays, qparams
from generators.choices import Choices
from generators.operators.node.spec import Attribute, NodeSpec, Operand, Tail
from generators.operators.node.versions import in_its_opset

OPSETS = (17, 13, 21, 23, 18, 15, 10, 11, 12, 14, 16, 19, 20, 22, 24, 25, 26)
KINDS = ("random", "random", "constant", "small", "coarse", "extremes", "seven-bit")
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 16, 17)
REACH = 100.0  # codes on one side of the zero point that typical data take


@dataclass(frozen=True, slots=True)
class Draw:
    """The choices behind one case, its style of scales, and the type of its activations."""

    choices: Choices
    style: str
    dtype: str
    opset: int

    @classmethod
    def of(cls, choices: Choices, scales: str, opsets: Sequence[int] = OPSETS) -> "Draw":
        """What every family draws first."""
        style = qparams.style(choices, scales)
        return cls(choices, style, choices.pick(("uint8", "int8")), choices.pick(opsets))

    def size(self, most: int = 17) -> int:
        """A length of an axis; the ends of blocks are frequent."""
        return self.choices.pick([each for each in SIZES if each <= most])

    def shape(self, rank: int, most: int = 9) -> tuple[int, ...]:
        """A shape; equal sizes are frequent, so that a wrong axis still fits."""
        if self.choices.flag(3):
            return (self.size(most),) * rank
        return tuple([self.size(most) for _ in range(rank)])

    def codes(
        self,
        name: str,
        shape: tuple[int, ...],
        *,
        dtype: str = "",
        like: Operand | None = None,
    ) -> Operand:
        """An activation of 8-bit codes; ``like`` another it has that one's scale and zero point."""
        dtype = dtype or self.dtype
        if like is not None:
            scales, zeros = like.scales, like.zero_points
        else:
            scales = (qparams.input_scale(self.choices, self.style),)
            zeros = (qparams.zero_point(self.choices, dtype),)
        return Operand(
            name,
            shape,
            dtype,
            scales,
            zeros,
            kind=self.choices.pick(KINDS),
            seed=self.choices.integer(0, 65535),
        )

    def result(
        self, shape: tuple[int, ...], size: float, product: float, *, dtype: str = ""
    ) -> Operand:
        """The codes of an output whose values reach ``size`` steps of ``product``."""
        dtype = dtype or self.dtype
        scale = qparams.output_scale(self.choices, self.style, size, product)
        return Operand("y", shape, dtype, (scale,), (qparams.zero_point(self.choices, dtype),))

    def spec(
        self,
        op: str,
        operands: Sequence[Operand],
        results: Sequence[Operand],
        attributes: Sequence[tuple[str, Attribute]] = (),
        *,
        form: str = "QDQ",
        tails: tuple[Tail, ...] = (),
        opset: int = 0,
    ) -> NodeSpec:
        """The spec, with what may surround any operator drawn."""
        plain = form != "QDQ"
        made = NodeSpec(
            op,
            tuple(operands),
            tuple(results),
            tuple(attributes),
            form,
            tails,
            opset or self.opset,
            x_float=not plain and self.choices.flag(4),
            y_float=not plain and self.choices.flag(4),
            zero_points_written=plain or not self.choices.flag(4),
        )
        return in_its_opset(made)


def beside(choices: Choices, tensor: Operand, other: Operand, relation: str) -> Operand:
    """The tensor with another's parameters, of the same type: ``like``, ``last bit`` or ``one off``."""
    scale, zero = other.scales[0], other.zero_points[0]
    if relation == "last bit":
        side = np.float32(choices.pick((np.inf, -np.inf)))
        scale = float(np.nextafter(np.float32(scale), side))
    if relation == "one off":
        lowest = arrays.LOWEST.get(other.dtype, 0)
        zero += -1 if zero > lowest else 1
    return replace(tensor, scales=(scale,), zero_points=(zero,))


def plain(name: str, values: float | Sequence[int] | Array, dtype: str = "int64") -> Operand:
    """A constant operand that is not quantized: a shape, axes, indices."""
    array = np.array(values, dtype)
    return Operand(name, array.shape, dtype, constant=True, array=array)


def float_constant(name: str, shape: tuple[int, ...], draw: Draw) -> Operand:
    """A constant float32 operand."""
    seed = draw.choices.integer(0, 65535)
    return Operand(name, shape, "float32", constant=True, seed=seed)


def reach(operand: Operand) -> float:
    """How far typical values of an operand are from 0, in steps of its first scale."""
    if operand.dtype not in arrays.LOWEST:
        return REACH
    kind = operand.kind
    mean, deviation = arrays.moments(kind, operand.seed, operand.dtype, operand.zero_points[0])
    return max(abs(mean) + 2 * deviation, 1.0)


def sum_reach(terms: int, *operands: Operand) -> float:
    """How far a sum of ``terms`` products of operands reaches, in steps of their scales' product."""
    return float(prod(reach(each) for each in operands) * max(terms, 1) ** 0.5)
