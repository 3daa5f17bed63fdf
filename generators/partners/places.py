"""Partners whose elements are those of the original, in other places: claim ``places``.

y[n, m] of a convolution or a product depends on sample n and filter m alone. So one sample gives
its part of the batch's answer, filters in another order give channels in that order, and
fewer filters change none that are left.
"""

from collections.abc import Sequence

import numpy as np
import onnx

from generators.choices import Choices
from generators.partners.partner import Partner, Places
from generators.partners.surgery import ELEMENTWISE, Place, Surgery, attribute, shape_of
from generators.partners.weighted import Weighted, take, weighted

_BY_SAMPLE = ELEMENTWISE | {
    *("Conv", "QLinearConv", "ConvInteger", "ConvTranspose"),
    *("MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool"),
}
_COMMUTATIVE = ("Add", "Mul", "Max", "Min")


def one_sample(surgery: Surgery, choices: Choices) -> Places | None:
    """One sample of a batch alone."""
    count = _batch(surgery)
    return None if count < 2 else _samples(surgery, (choices.integer(0, count - 1),))


def samples_reversed(surgery: Surgery, choices: Choices) -> Places | None:
    """The samples of a batch in reverse."""
    count = _batch(surgery)
    return None if count < 2 else _samples(surgery, tuple(range(count))[::-1])


def _batch(surgery: Surgery) -> int:
    """How many samples all inputs and outputs hold, that no node mixes; 0 where that is not so."""
    if not all(_keeps_samples(surgery, node) for node in surgery.graph.node):
        return 0
    shapes = [array.shape for array in surgery.inputs.values()]
    shapes += [shape_of(each) or () for each in surgery.graph.output]
    sizes = {shape[0] if len(shape) > 2 else 0 for shape in shapes}
    return sizes.pop() if len(sizes) == 1 else 0


def _keeps_samples(surgery: Surgery, node: onnx.NodeProto) -> bool:
    if node.op_type not in _BY_SAMPLE or node.domain:
        return False
    if node.op_type in ELEMENTWISE:  # also what dequantizes weights
        return surgery.is_elementwise(node) or surgery.constant(node, 0) is not None
    return len(node.output) == 1


def _samples(surgery: Surgery, indices: tuple[int, ...]) -> Places:
    for name, array in surgery.inputs.items():
        surgery.inputs[name] = np.take(array, indices, 0)
    return {each.name: Place(0, indices) for each in surgery.graph.output}


def filters_permuted(surgery: Surgery, choices: Choices) -> Places | None:
    """The filters of a convolution, or the columns of a product, in another order."""
    one = _chosen(surgery, choices)
    each = one.filters // one.groups if one else 0
    if one is None or each < 2:
        return None
    order = permutation(choices, each)
    return _filters(surgery, one, [g * each + n for g in range(one.groups) for n in order])


def fewer_filters(surgery: Surgery, choices: Choices) -> Places | None:
    """The first filters of every group alone."""
    one = _chosen(surgery, choices)
    each = one.filters // one.groups if one else 0
    if one is None or each < 2:
        return None
    kept = range(choices.integer(1, each - 1))
    return _filters(surgery, one, [g * each + n for g in range(one.groups) for n in kept])


def _filters(surgery: Surgery, one: Weighted, taken: Sequence[int]) -> Places:
    take(surgery, one.w, one.w_out, taken)
    for each in one.by_filter:
        take(surgery, each, 0, taken)
    return {name: Place(one.y_out, tuple(taken)) for name in one.sinks or ()}


def _chosen(surgery: Surgery, choices: Choices) -> Weighted | None:
    """An operator whose answer is seen element by element."""
    found = [each for each in weighted(surgery) if each.sinks]
    return choices.pick(found) if found else None


def permutation(choices: Choices, count: int) -> list[int]:
    """The numbers below ``count`` in a drawn order that is not theirs, where there is another."""
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        other = choices.integer(0, last)
        order[last], order[other] = order[other], order[last]
    return order if order != list(range(count)) else order[1:] + order[:1]


def parts_reordered(surgery: Surgery, choices: Choices) -> Places | None:
    """The inputs of a Concat in another order."""
    types = surgery.shapes()
    for node in surgery.graph.node:
        if node.op_type != "Concat" or node.domain or len(node.input) < 2:
            continue
        sinks = surgery.sinks(node.output[0])
        shapes = [types.get(name) for name in node.input]
        if not sinks or None in shapes:
            continue
        axis = int(str(attribute(node, "axis", 0)))
        sizes = [shape[axis] for shape in shapes if shape is not None]
        starts = [sum(sizes[:n]) for n in range(len(sizes))]
        order = permutation(choices, len(sizes))
        names = [node.input[n] for n in order]
        node.input[:] = names
        taken = [starts[n] + k for n in order for k in range(sizes[n])]
        return {name: Place(axis, tuple(taken)) for name in sinks}
    return None


def operands_swapped(surgery: Surgery, choices: Choices) -> Places | None:
    """The operands of Add, Mul, Max or Min exchanged: float32 sums and products are commutative."""
    for node in surgery.graph.node:
        if node.op_type in _COMMUTATIVE and not node.domain and len(node.input) == 2:
            node.input[:] = [node.input[1], node.input[0]]
            return {}
    return None


PLACES = (
    Partner("one sample alone", "places", one_sample),
    Partner("samples reversed", "places", samples_reversed),
    Partner("filters permuted", "places", filters_permuted),
    Partner("fewer filters", "places", fewer_filters),
    Partner("parts of a Concat reordered", "places", parts_reordered),
    Partner("operands swapped", "places", operands_swapped),
)
