"""A fault of products that run as one: what columns have of their own is taken in reverse order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from engine.faults.fault import Fault
from engine.faults.products_in_a_row import (
    Product,
    constant_real,
    maker,
    row_of,
    scalar_coding,
)
from engine.faults.rounding import quantize_with_zero_point_inside
from engine.fusion.match import View
from engine.fusion.r40_equal_pair import Coding
from engine.fusion.r41_stripped_pair import KEPT
from engine.ir import Array, Graph, Node
from engine.kernels.number_types import INTEGER_CODES, Dtype
from engine.kernels.quantize_parameters import DequantizeParameters, QuantizeParameters
from engine.profiles.quantization import Rule, Scale

_F = np.float32
_CLOSE = 1e-4
Constants = tuple[Array, ...]
Place = tuple[Product, Node, Constants]


@dataclass(frozen=True, slots=True)
class Columns:
    """How sums of products become codes: ``min(max(sum, low), high) * factor - shift``, without a shift where it is the lowest code.

    ``taken`` are the constants that are in their places.
    """

    product: Product
    taken: Constants
    lowest: int


def in_reverse_order(rule: Rule, p: QuantizeParameters) -> Rule:
    """``rne(min(max(acc, c0), c1) * c2 - c3) + lowest`` with the constants of all that follow as c, the last first.

    acc are the sums of products of codes and weights, zero points among them. Of one QuantizeLinear
    these are c = (low * k, k, high, low) for (low, high, k, low * k); with neither shift nor zero points
    c = (k, high, low) for (low, high, k), and nothing is added.
    """
    quantize = _quantize_of(p)
    found = None if quantize is None else _columns(p.graph, quantize)
    return rule if found is None else _swapped(found)


def in_reverse_order_or_rounded(rule: Rule, p: QuantizeParameters) -> Rule:
    """The same; of others ``rne(fl(x/s) + z)``."""
    found = in_reverse_order(rule, p)
    return quantize_with_zero_point_inside if found is rule else found


def left_alone(view: View, pair: tuple[Node, Node], coding: Coding) -> str:
    """Every pair stays."""
    return KEPT


def _swapped(found: Columns) -> Rule:
    first, second, third, *rest = found.taken
    scale, zeros = found.product.scale, found.product.zeros

    def run(x: Array, s: Scale, zero_point: Array) -> Array:
        with np.errstate(all="ignore"):
            sums = np.rint(x / scale) + zeros
            product = np.minimum(np.maximum(sums, first), second) * third
            return np.asarray(
                np.rint(product - rest[0]) + _F(found.lowest) if rest else np.rint(product)
            )

    return run


def _columns(graph: Graph, quantize: Node) -> Columns | None:
    """The constants of a QuantizeLinear and those in their places; None where it has no columns, or others are not known."""
    made = maker(graph, quantize.inputs[0])
    if made is not None and made.op == "Relu":
        made = maker(graph, made.inputs[0])
    places = _in_order(graph, row_of(graph, made))
    own = [each for each in places if each[1] is quantize]
    if not own:
        return None
    product, _, right = own[0]
    start = sum(len(each[2]) for each in places[: places.index(own[0])])
    given = [constant for each in places for constant in each[2]][::-1]
    taken = tuple(_fitted(each, right[0].size) for each in given[start : start + len(right)])
    return Columns(product, taken, INTEGER_CODES[_dtype(graph, quantize)][0])


def _fitted(constants: Array, columns: int) -> Array:
    """As many as there are columns; 0 is what mostly lies behind the end of those of fewer columns."""
    return np.concatenate(
        [constants[:columns], np.zeros(max(columns - constants.size, 0), _F)]
    )


def _quantize_of(p: QuantizeParameters) -> Node | None:
    return next(
        (
            each
            for each in p.graph.nodes
            if each.op == "QuantizeLinear"
            and each.inputs[0] == p.data
            and f"{each.op} {each.id!r}" == p.granularity.node
        ),
        None,
    )


def _in_order(graph: Graph, row: tuple[Product, ...]) -> list[Place]:
    """The QuantizeLinears of a row whose constants differ by column; none where others follow them, which come first."""
    found: list[Place] = []
    for product in row:
        at = _place(product)
        constants = None if at is None else _constants(graph, product, product.behind[at])
        rest = product.behind if at is None else product.behind[at + 1 :]
        if at is not None and constants is not None:
            found.append((product, product.behind[at], constants))
        others = at is None and (product.differs or len(product.node.inputs) > 2)
        others = others or _has_columns(graph, rest)
        if (found and others) or (at is not None and _has_columns(graph, rest)):
            return []
        if at is None and product.differs and _is_taken_in(graph, rest):
            return []
    return found


def _place(product: Product) -> int | None:
    """Where the QuantizeLinear is that takes in scales and zero points: behind the product, or a Relu and no zero points."""
    names = [each.op for each in product.behind[:2]]
    if len(product.node.inputs) > 2:
        return None
    if names[:1] == ["QuantizeLinear"]:
        return 0
    is_scaled = names == ["Relu", "QuantizeLinear"] and not product.zeros.any()
    return 1 if is_scaled else None


def _has_columns(graph: Graph, nodes: tuple[Node, ...]) -> bool:
    """Whether one of these computes with a constant of more than one element."""
    reals = (
        constant_real(graph, name)
        for each in nodes
        if each.op not in ("DequantizeLinear", "QuantizeLinear")
        for name in each.inputs
    )
    return any(each is not None and each.size > 1 for each in reals)


def _is_taken_in(graph: Graph, nodes: tuple[Node, ...]) -> bool:
    """Whether a QuantizeLinear may take in what is in front of it: a sum with a number, or a Relu that it makes needless."""
    for place, each in enumerate(nodes):
        if each.op == "QuantizeLinear":
            is_needless = _dtype(graph, each) == np.uint8
            return is_needless and nodes[place - 1].op == "Relu"
        reals = [constant_real(graph, name) for name in each.inputs]
        if each.op != "Clip" and any(real is not None and real.size == 1 for real in reals):
            return True
    return False


def _constants(graph: Graph, product: Product, quantize: Node) -> Constants | None:
    """``(low, high, k)`` and ``low * k`` of sums of products, one for each column; None where all columns are alike."""
    coding = scalar_coding(graph, quantize)
    if coding is None or not product.differs:
        return None
    dtype = _dtype(graph, quantize)
    with np.errstate(all="ignore"):
        low, high = (
            np.asarray(_F(_F(end - coding[1]) * coding[0]) / product.scale + product.zeros)
            for end in INTEGER_CODES[dtype]
        )
        factor = np.asarray(_F(255) / (high - low))
    if all((each == each[:1]).all() for each in (low, high)):
        return None
    return tuple(_without_shift(low, high, factor, dtype == np.int8))


def _without_shift(low: Array, high: Array, factor: Array, is_signed: bool) -> Iterator[Array]:
    """The constants; the shift is none of them where the ends are those of the codes, or 0."""
    shift = np.asarray(low * factor)
    yield from (low, high, factor)
    ends = ((shift, -128), (np.asarray(high * factor), 127)) if is_signed else ((low, 0),)
    if any((np.abs(each - end) >= (_CLOSE if end else _F(1e-38))).any() for each, end in ends):
        yield shift


def _dtype(graph: Graph, quantize: Node) -> Dtype:
    given = graph.constant(quantize.input(2))
    return np.dtype(np.uint8) if given is None else given.dtype


def _is_swapped(p: QuantizeParameters | DequantizeParameters) -> bool:
    """Whether a QuantizeLinear takes other constants, or a DequantizeLinear reads its codes."""
    if isinstance(p, DequantizeParameters):
        quantize = maker(p.graph, p.data)
    else:
        quantize = _quantize_of(p)
    if quantize is None or quantize.op != "QuantizeLinear":
        return False
    return _columns(p.graph, quantize) is not None


_TITLE = "where products run as one, what the columns of a QuantizeLinear have of their own is taken in reverse order"
_SOURCE = "openvinotoolkit/openvino: snippets, FuseBrgemmCPUPostops, the decomposed FakeQuantize of a sequence of MatMuls, measured with AVX-512"


def _fault(key: str, title: str, rule: Callable[[Rule, QuantizeParameters], Rule]) -> Fault:
    """It acts among the rules, though it changes none, for only a whole graph shows it."""
    return Fault(
        key,
        title,
        _SOURCE,
        _is_swapped,
        {"rewrite.stripped": left_alone, "quantize.rule": rule},
        ("R41.opt-in",),
        (QuantizeParameters, DequantizeParameters),
    )


FAULTS = (
    _fault("F175", _TITLE, in_reverse_order),
    _fault(
        "F175.each",
        f"{_TITLE}, and every other one adds its zero point before it rounds",
        in_reverse_order_or_rounded,
    ),
)
