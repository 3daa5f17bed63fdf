"""A fault of products that run as one: what columns have of their own is taken in reverse order."""

from collections.abc import Callable

import numpy as np

from engine.faults.columns_of_products import (
    Constants,
    Place,
    code_type,
    places_of,
    reach_behind,
    taken,
)
from engine.faults.fault import Fault
from engine.faults.products_in_a_row import PRODUCTS, row_of
from engine.faults.rounding import quantize_with_zero_point_inside
from engine.fusion.match import View
from engine.fusion.r40_equal_pair import Coding
from engine.fusion.r41_stripped_pair import KEPT
from engine.ir import Array, Graph, Node
from engine.kernels.codes_before import maker
from engine.kernels.float_matmul import Multiply, products
from engine.kernels.number_types import INTEGER_CODES
from engine.kernels.operator import Setting
from engine.kernels.quantize_parameters import DequantizeParameters, QuantizeParameters
from engine.profiles.quantization import Rule, Scale

_F = np.float32


def in_reverse_order(rule: Rule, p: object) -> Rule:
    """``rne(min(max(acc, c0), c1) * c2 - c3) + lowest`` with the constants of all that follow as c, the last first.

    acc are the sums of products of codes and weights, zero points among them. Of one QuantizeLinear
    these are c = (low * k, k, high, low) for (low, high, k, low * k); with neither shift nor zero points
    c = (k, high, low) for (low, high, k), and nothing is added. What is not taken in, zero points,
    scales and a bias, comes first, in order: where others precede it, it takes theirs.
    """
    found = _swapped(rule, p) if isinstance(p, QuantizeParameters) else None
    return found or rule


def in_reverse_order_or_rounded(rule: Rule, p: object) -> Rule:
    """The same; of others in the same graph ``rne(fl(x/s) + z)``."""
    if not isinstance(p, QuantizeParameters):
        return rule
    quantizers = (each for each in p.graph.nodes if each.op == "QuantizeLinear")
    if not any(_found(p.graph, each) for each in quantizers):
        return rule
    return _swapped(quantize_with_zero_point_inside, p) or quantize_with_zero_point_inside


def multiplied_in_reverse_order(node: Node, setting: Setting) -> Multiply:
    """``(acc - c0) * c1`` with the same constants, of a product that nothing quantizes."""
    swapped = _swapped_places(setting.graph, node)
    real = (each for each in swapped if each[0].quantize is None)
    found = next((each for each in real if each[0].product.node is node), None)
    if found is None:
        return products(node, setting)
    place, constants = found

    def run(a: Array, b: Array) -> Array:
        exact = np.matmul(a.astype(np.float64), b.astype(np.float64))
        with np.errstate(all="ignore"):
            centred = np.rint(exact / place.product.scale).astype(_F)
            return _reals(place, constants, centred)

    return run


def left_alone(view: View, pair: tuple[Node, Node], coding: Coding) -> str:
    """Every pair stays."""
    return KEPT


def _swapped(rule: Rule, p: QuantizeParameters) -> Rule | None:
    quantize = _quantize_of(p)
    found = None if quantize is None else _found(p.graph, quantize)
    if quantize is None or found is None:
        return None
    place, constants = found
    if place.is_alone:
        return _alone(rule, place, constants)
    return _taken_in(place, constants, INTEGER_CODES[code_type(p.graph, quantize)][0])


def _taken_in(place: Place, constants: Constants, lowest: int) -> Rule:
    first, second, third, *shift = constants
    scale, zeros = place.product.scale, place.product.zeros

    def run(x: Array, s: Scale, zero_point: Array) -> Array:
        with np.errstate(all="ignore"):
            sums = np.rint(x / scale) + zeros
            product = np.minimum(np.maximum(sums, first), second) * third
            if not shift:
                return np.asarray(np.rint(product))
            return np.asarray(np.rint(product - shift[0]) + _F(lowest))

    return run


def _alone(rule: Rule, place: Place, constants: Constants) -> Rule:
    """The reals, quantized."""

    def run(x: Array, s: Scale, zero_point: Array) -> Array:
        with np.errstate(all="ignore"):
            centred = np.rint((x - place.bias) / place.product.scale)
            return rule(_reals(place, constants, centred), s, zero_point)

    return run


def _reals(place: Place, constants: Constants, centred: Array) -> Array:
    """``(acc - c0) * c1 + c2`` of ``centred = acc - zeros``; what columns have in common is no constant of theirs."""
    right = place.product.zeros, place.product.scale, place.bias
    given = iter(constants)
    ours = [any(each is own for own in place.constants) for each in right]
    zeros, scale, bias = (
        next(given) if own else each for each, own in zip(right, ours, strict=True)
    )
    return np.asarray((centred + right[0] - zeros) * scale + bias)


def _found(graph: Graph, quantize: Node) -> tuple[Place, Constants] | None:
    """The place of a QuantizeLinear with the constants that are in it; None where they are the right ones, or not known."""
    swapped = _swapped_places(graph, _product_before(graph, quantize))
    return next((each for each in swapped if each[0].quantize is quantize), None)


def _swapped_places(graph: Graph, product: Node | None) -> list[tuple[Place, Constants]]:
    """The places in the row of a product that have others' constants, with them; none where one is not known."""
    places = places_of(graph, row_of(graph, product))
    found = [
        (place, constants)
        for place, constants in zip(places, taken(places), strict=True)
        if not all(map(np.array_equal, place.constants, constants))
    ]
    return found if all(_is_known(place) for place, _ in found) else []


def _is_known(place: Place) -> bool:
    """Whether a QuantizeLinear takes what the product gives, or nobody in the row does."""
    ends = not place.product.behind and len(place.product.node.inputs) == 2
    return ends or place.quantize is not None


def _product_before(graph: Graph, node: Node) -> Node | None:
    """The product that a QuantizeLinear reads, with a bias or a Relu between."""
    for name in node.inputs:
        made = maker(name, graph)
        if made is not None and made.op in ("Add", "Relu") and node.op == "QuantizeLinear":
            return _product_before(graph, made)
        if made is not None and made.op in PRODUCTS:
            return made
    return None


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


def _is_swapped(p: QuantizeParameters | DequantizeParameters) -> bool:
    """Whether a QuantizeLinear takes other constants, or a DequantizeLinear reads its codes."""
    quantize = _quantize_seen(p)
    return quantize is not None and _found(p.graph, quantize) is not None


def _reaches_behind(p: QuantizeParameters | DequantizeParameters) -> bool:
    """The same, where some place has more columns than the constants that are in it."""
    quantize = _quantize_seen(p)
    if quantize is None or not _is_swapped(p):
        return False
    return reach_behind(
        places_of(p.graph, row_of(p.graph, _product_before(p.graph, quantize)))
    )


def _quantize_seen(p: QuantizeParameters | DequantizeParameters) -> Node | None:
    """The QuantizeLinear itself, or the one whose codes are read."""
    if not isinstance(p, DequantizeParameters):
        return _quantize_of(p)
    made = maker(p.data, p.graph)
    return made if made is not None and made.op == "QuantizeLinear" else None


_TITLE = "where products run as one, what the columns of a QuantizeLinear have of their own is taken in reverse order"
_SOURCE = "openvinotoolkit/openvino: snippets, FuseBrgemmCPUPostops, the decomposed FakeQuantize of a sequence of MatMuls, measured with AVX-512"


def _fault(key: str, title: str, rule: Callable[[Rule, object], Rule]) -> Fault:
    """It acts among the rules, though it changes none, for only a whole graph shows it."""
    return Fault(
        key,
        title,
        _SOURCE,
        _is_swapped,
        {
            "rewrite.stripped": left_alone,
            "quantize.rule": rule,
            "real_matmul.multiply": multiplied_in_reverse_order,
        },
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
    Fault(
        "F175.beside",
        f"{_TITLE}, and memory behind the end of those of fewer columns",
        _SOURCE,
        _reaches_behind,
        record=(QuantizeParameters, DequantizeParameters),
        reads_beside=True,
    ),
)
