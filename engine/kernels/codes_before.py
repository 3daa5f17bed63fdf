"""What the reals that an operator reads are made of: the codes of a DequantizeLinear."""

from dataclasses import dataclass

import numpy as np

from engine.ir import Array, Graph, Node
from engine.kernels.number_types import Dtype
from engine.kernels.quantize_granularity import Granularity, read_granularity

_ONE = np.float32(1)


@dataclass(frozen=True, slots=True)
class CodesBefore:
    """Scale and zero point of a DequantizeLinear, each None where it is left out or computed.

    ``factor`` is the product of the numbers on the way, ``dtype`` the type of the codes, None where
    neither a zero point nor a QuantizeLinear tells it; ``granularity`` is the DequantizeLinear's.
    """

    own_scale: Array | None = None
    zero_point: Array | None = None
    factor: np.float32 = _ONE
    dtype: Dtype | None = None
    granularity: Granularity | None = None

    @property
    def scale(self) -> Array | None:
        """``fl(s * factor)``."""
        if self.own_scale is None or self.factor == 1:
            return self.own_scale
        return np.asarray(self.own_scale * self.factor)


def codes_before(node: Node, graph: Graph, place: int = 0) -> CodesBefore:
    """The parameters of the DequantizeLinear that gives a node its first input, or another, if one does.

    Products with a number, or with a constant of equal ones, on the way are taken into the scale.
    """
    name, factor = node.inputs[place], _ONE
    while (before := maker(name, graph)) is not None and before.op == "Mul":
        numbers = [_number(each, graph) for each in before.inputs]
        if sum(each is None for each in numbers) != 1:
            return CodesBefore()
        name = before.inputs[numbers.index(None)]
        factor *= next(each for each in numbers if each is not None)
    if before is None or before.op != "DequantizeLinear":
        return CodesBefore()
    scale, zero_point = (_constant(graph, before.input(n)) for n in (1, 2))
    granularity = read_granularity(before, graph.opset)
    return CodesBefore(scale, zero_point, factor, _type_of_codes(before, graph), granularity)


def is_fixed(name: str, graph: Graph) -> bool:
    """Whether a tensor is a constant, or reals that a DequantizeLinear makes of constants."""
    if _constant(graph, name) is not None:
        return True
    made = maker(name, graph)
    if made is None or made.op != "DequantizeLinear":
        return False
    return all(_constant(graph, each) is not None for each in made.inputs if each)


def _type_of_codes(node: Node, graph: Graph) -> Dtype | None:
    """That of the zero points of a DequantizeLinear, or of the QuantizeLinear before it."""
    before = maker(node.input(0), graph)
    behind = [] if before is None or before.op != "QuantizeLinear" else [before]
    given = [_constant(graph, each.input(2)) for each in (node, *behind)]
    return next((each.dtype for each in given if each is not None), None)


def _constant(graph: Graph, name: str) -> Array | None:
    return graph.constants.get(name) if name else None


def maker(name: str, graph: Graph) -> Node | None:
    """The node that computes a tensor, if one does."""
    return next((each for each in graph.nodes if name in each.outputs), None)


def _number(name: str, graph: Graph) -> np.float32 | None:
    """What every element of a constant is, or the real of all its codes; None where they differ."""
    constant = _constant(graph, name)
    if constant is not None:
        number = _same(constant) if constant.dtype == np.float32 else None
        return None if number is None else np.float32(number)
    made = maker(name, graph)
    if made is None or made.op != "DequantizeLinear":
        return None
    given = [_same(_constant(graph, made.input(n))) for n in range(len(made.inputs))]
    if any(each is None for each in given):
        return None
    code, scale, *zero = (each for each in given if each is not None)
    return np.float32((code - sum(zero)) * scale)


def _same(constant: Array | None) -> float | None:
    if constant is None or not constant.size:
        return None
    first = constant.reshape(-1)[0]
    return float(first) if (constant == first).all() else None
