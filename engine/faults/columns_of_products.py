"""The constants by column of products in a row: where they are, and which of them are in whose place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.faults.products_in_a_row import Product, constant_real, scalar_coding
from engine.ir import Array, Graph, Node
from engine.kernels import quantize_parameters
from engine.kernels.number_types import INTEGER_CODES, Dtype

_F = np.float32
_UINT8 = np.dtype(np.uint8)
_CLOSE = 1e-4
_NONE = np.zeros((), np.float32)
Constants = tuple[Array, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """The constants of a QuantizeLinear, or those of what ``is_alone`` in front of it.

    The first are the ends of the sums of products, the factor and the shift; the others what is
    subtracted, multiplied with and the ``bias``. Without ``quantize`` nothing is known of what follows.
    """

    product: Product
    quantize: Node | None
    constants: Constants
    is_alone: bool = False
    bias: Array = field(default_factory=lambda: _NONE)


def taken(places: Sequence[Place]) -> list[Constants]:
    """The constants in each of these places, as many as it has columns."""
    pairs = zip(places, _in_their_place(places), strict=True)
    return [tuple(map(_fitted, found, place.constants)) for place, found in pairs]


def reach_behind(places: Sequence[Place]) -> bool:
    """Whether constants of fewer columns are in the place of those of more."""
    pairs = zip(places, _in_their_place(places), strict=True)
    return any(
        each.size < own.size
        for place, found in pairs
        for each, own in zip(found, place.constants, strict=True)
    )


def _in_their_place(places: Sequence[Place]) -> list[Constants]:
    """Those of what is alone come first, then all others, the last first."""
    given = [each for place in places if place.is_alone for each in place.constants]
    own = [each for place in places if not place.is_alone for each in place.constants]
    rest = iter([*given, *own[::-1]])
    return [tuple(next(rest) for _ in place.constants) for place in places]


def _fitted(constants: Array, own: Array) -> Array:
    """As many as there are columns; 0 is what mostly lies behind the end of those of fewer columns."""
    missing = np.zeros(max(own.size - constants.size, 0), _F)
    return np.concatenate([constants[: own.size], missing])


def places_of(graph: Graph, row: Sequence[Product]) -> list[Place]:
    """All places in a row, in order; none where some are not known."""
    found: list[Place] = []
    for product in row:
        place, at = _place(graph, product)
        rest = product.behind[at:]
        found += [place] if place.constants else []
        has_more = _has_columns(graph, rest) or (
            len(product.node.inputs) > 2 and place.bias.size == 1
        )
        unknown = has_more and (bool(found) or place.quantize is not None)
        if unknown or (place.quantize is None and _is_taken_in(graph, product)):
            return []
    return found


def _place(graph: Graph, product: Product) -> tuple[Place, int]:
    """The constants of a product, and how many nodes behind it they are of."""
    at = _quantizes_at(product)
    if at is not None:
        quantize = product.behind[at]
        return Place(product, quantize, _of_quantize(graph, product, quantize)), at + 1
    bias, at = _bias(graph, product)
    following = [each.op for each in product.behind[at : at + 1]]
    quantizes = bias.size == product.zeros.size and following == ["QuantizeLinear"]
    given = (product.zeros, product.scale, bias)
    constants = tuple(each for each in given if _differs(each))
    if quantizes:
        return Place(product, product.behind[at], constants, True, bias), at + 1
    return Place(product, None, constants, True), at


def _bias(graph: Graph, product: Product) -> tuple[Array, int]:
    """The constant by column that is added to a product, and how many nodes behind it do so."""
    first, at = (*product.behind, product.node)[0], 0
    given: Array | None = None
    if len(product.node.inputs) > 2:
        given = constant_real(graph, product.node.inputs[2])
    elif first.op == "Add":
        reals = [constant_real(graph, each) for each in first.inputs]
        given, at = next((each for each in reals if each is not None), None), 1
    if given is None or given.dtype != _F or given.shape[-1:] != (given.size,):
        return _NONE, 0
    return given.reshape(-1), at


def _quantizes_at(product: Product) -> int | None:
    """Where the QuantizeLinear is that takes in scales and zero points: behind the product, or a Relu and no zero points."""
    names = [each.op for each in product.behind[:2]]
    if len(product.node.inputs) > 2:
        return None
    if names[:1] == ["QuantizeLinear"]:
        return 0
    is_scaled = names == ["Relu", "QuantizeLinear"] and not product.zeros.any()
    return 1 if is_scaled else None


def _has_columns(graph: Graph, nodes: Sequence[Node]) -> bool:
    """Whether one of these computes with a constant of more than one element."""
    reals = (
        constant_real(graph, name)
        for each in nodes
        if each.op not in ("DequantizeLinear", "QuantizeLinear")
        for name in each.inputs
    )
    return any(each is not None and each.size > 1 for each in reals)


def _is_taken_in(graph: Graph, product: Product) -> bool:
    """Whether a QuantizeLinear may take in what is in front of it: a sum with a number, or a Relu that it makes needless."""
    if not product.differs:
        return False
    for place, each in enumerate(product.behind):
        if each.op == "QuantizeLinear":
            is_needless = code_type(graph, each) == np.uint8
            return is_needless and product.behind[place - 1].op == "Relu"
        reals = [constant_real(graph, name) for name in each.inputs]
        if each.op != "Clip" and any(real is not None and real.size == 1 for real in reals):
            return True
    return False


def _of_quantize(graph: Graph, product: Product, quantize: Node) -> Constants:
    """``(low, high, k)`` and ``low * k`` of sums of products, one for each column; none where all columns are alike."""
    coding, dtype = scalar_coding(graph, quantize), code_type(graph, quantize)
    if coding is None or dtype not in (_UINT8, np.int8) or not product.differs:
        return ()
    with np.errstate(all="ignore"):
        low, high = (
            np.asarray(_F(_F(end - coding[1]) * coding[0]) / product.scale + product.zeros)
            for end in INTEGER_CODES[dtype]
        )
        factor = np.asarray(_F(255) / (high - low))
    if not (_differs(low) or _differs(high)):
        return ()
    return tuple(_without_shift(low, high, factor, dtype == np.int8))


def _without_shift(low: Array, high: Array, factor: Array, is_signed: bool) -> Iterator[Array]:
    """The constants; the shift is none of them where the ends are those of the codes, or 0."""
    shift = np.asarray(low * factor)
    yield from (low, high, factor)
    ends = ((shift, -128), (np.asarray(high * factor), 127)) if is_signed else ((low, 0),)
    if any((np.abs(each - end) >= (_CLOSE if end else _F(1e-38))).any() for each, end in ends):
        yield shift


def _differs(values: Array) -> bool:
    """Whether columns have values of their own."""
    return bool((np.atleast_1d(values) != np.atleast_1d(values)[:1]).any())


def code_type(graph: Graph, quantize: Node) -> Dtype:
    """The type of the codes of a QuantizeLinear with a constant zero point, or none."""
    return quantize_parameters.code_type(quantize, graph.constant(quantize.input(2))) or _UINT8
