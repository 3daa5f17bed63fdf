"""Faults of element-wise operations on codes: how operands are read, and what is done to them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine.faults.combination import every_pair_differs
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.combination_parameters import CombinationParameters
from engine.kernels.known_shape import known_shapes
from engine.kernels.qlinear_binary import align, combination_of
from engine.profiles.elementwise import Combination, Elementwise
from engine.profiles.elementwise_exact import Combine, Operand, Operands, Prepare, Steps

_SUMS = ("QLinearAdd", "QLinearSub", "QLinearSum")
_PRODUCTS = ("QLinearMul", "QLinearDiv")

Parameters = Callable[[CombinationParameters], CombinationParameters]
Align = Callable[[Sequence[Array]], list[Array]]


def _with_inputs(p: CombinationParameters, inputs: Sequence[Operand]) -> CombinationParameters:
    return replace(p, operands=replace(p.operands, inputs=tuple(inputs)))


def without_rescaling(p: CombinationParameters) -> CombinationParameters:
    """Every input in the scale of the output: ``a - az + b - bz + yz``."""
    if p.op in _PRODUCTS:
        return p
    return _with_inputs(
        p, [replace(each, scale=p.operands.y_scale) for each in p.operands.inputs]
    )


def all_as_first(p: CombinationParameters) -> CombinationParameters:
    """Every input with the scale and zero point of the first."""
    first = p.operands.inputs[0]
    return _with_inputs(p, [replace(first, factor=each.factor) for each in p.operands.inputs])


def products_of_codes(p: CombinationParameters) -> CombinationParameters:
    """``a * b`` for ``(a - az)(b - bz)``."""
    if p.op not in _PRODUCTS:
        return p
    return _with_inputs(p, [replace(each, zero_point=0) for each in p.operands.inputs])


def last_not_centred(p: CombinationParameters) -> CombinationParameters:
    """``b`` for ``b - bz`` in a sum, the last input being the residual."""
    if p.op not in _SUMS:
        return p
    *others, last = p.operands.inputs
    return _with_inputs(p, [*others, replace(last, zero_point=0)])


def last_in_output_scale(p: CombinationParameters) -> CombinationParameters:
    """``b - yz`` in the scale of the output, the last input of a sum being the residual."""
    if p.op not in _SUMS:
        return p
    o = p.operands
    *others, last = o.inputs
    return _with_inputs(
        p, [*others, replace(last, scale=o.y_scale, zero_point=o.y_zero_point)]
    )


def _rewired(found: Combination, change: Callable[[Prepare], Prepare]) -> Combination:
    """The operation with its main part and its tail changed."""
    tail = None if found.tail is None else change(found.tail)
    return replace(found, main=change(found.main), tail=tail)


def always_added(rules: Elementwise, p: CombinationParameters) -> Combination:
    """``a + b`` whatever the operator is."""

    def change(prepare: Prepare) -> Prepare:
        def added(o: Operands) -> Combine:
            positive = tuple(replace(each, factor=abs(each.factor)) for each in o.inputs)
            return prepare(replace(o, inputs=positive))

        return added

    return _rewired(rules.add if len(p.operands.inputs) == 2 else rules.total, change)


def first_two(rules: Elementwise, p: CombinationParameters) -> Combination:
    """Only the first two inputs."""

    def change(prepare: Prepare) -> Prepare:
        def of_two(o: Operands) -> Combine:
            combine = prepare(replace(o, inputs=o.inputs[:2]))
            return lambda codes, inner: combine(codes[:2], inner)

        return of_two

    return _rewired(combination_of(rules, p), change)


def swapped(rules: Elementwise, p: CombinationParameters) -> Combination:
    """``b - a``, ``b / a``."""

    def change(prepare: Prepare) -> Prepare:
        def of_swapped(o: Operands) -> Combine:
            factors = [each.factor for each in o.inputs]
            inputs = (
                replace(each, factor=factor)
                for each, factor in zip(o.inputs[::-1], factors, strict=True)
            )
            combine = prepare(replace(o, inputs=tuple(inputs)))
            return lambda codes, inner: combine(
                codes[::-1], 1 - inner if inner >= 0 else inner
            )

        return of_swapped

    found = combination_of(rules, p)
    return _rewired(found, change) if p.op in ("QLinearSub", "QLinearDiv") else found


def unsigned_as_signed(rules: Elementwise, p: CombinationParameters) -> Combination:
    """``q - 256`` from 128 on, of uint8 codes."""

    def change(prepare: Prepare) -> Prepare:
        def of_signed(o: Operands) -> Combine:
            combine = prepare(o)

            def steps(codes: Sequence[Array], inner: int) -> Steps:
                return combine([each.view(np.int8) for each in codes], inner)

            return steps

        return of_signed

    found = combination_of(rules, p)
    return _rewired(found, change) if p.dtype == np.uint8 else found


def flat_modulo(codes: Sequence[Array]) -> list[Array]:
    """``b.flat[i % b.size]`` for element i of the result."""
    shape = np.broadcast_shapes(*(each.shape for each in codes))
    return [each if each.shape == shape else np.resize(each, shape) for each in codes]


def aligned_left(codes: Sequence[Array]) -> list[Array]:
    """Missing dimensions are put behind, where the shapes allow it."""
    right = align(codes)
    rank = right[0].ndim
    left = [each.reshape(each.shape + (1,) * (rank - each.ndim)) for each in codes]
    try:
        shape = np.broadcast_shapes(*(each.shape for each in left))
    except ValueError:
        return right
    return left if shape == np.broadcast_shapes(*(each.shape for each in right)) else right


def _spreads(wrong: Align) -> Callable[[CombinationParameters], bool]:
    """Whether, with the shapes at hand, an element of the result reads another one."""

    def trigger(p: CombinationParameters) -> bool:
        shapes = known_shapes(p.graph, p.codes)
        if shapes is None:
            return True
        places = [np.arange(np.prod(each, dtype=int)).reshape(each) for each in shapes]
        right, other = (np.broadcast_arrays(*rule(places)) for rule in (align, wrong))
        return any((a != b).any() for a, b in zip(right, other, strict=True))

    return trigger


def _fault(
    key: str,
    title: str,
    source: str,
    stage: str,
    replacement: Callable[..., Any],
    trigger: Callable[[CombinationParameters], bool] | None = None,
) -> Fault:
    stages = {f"elementwise.{stage}": replacement}
    return Fault(
        key,
        title,
        source,
        trigger or every_pair_differs(stages),
        stages,
        record=CombinationParameters,
    )


def _reads(change: Parameters) -> Callable[[CombinationParameters], bool]:
    """Whether operands are read in another way, and that shows for some codes."""
    shows = every_pair_differs({"elementwise.parameters": change})
    return lambda p: change(p) != p and shows(p)


FAULTS = (
    _fault(
        "F40",
        "the zero point of the last term of a sum is not subtracted",
        "residuals that are added as codes",
        "parameters",
        last_not_centred,
        _reads(last_not_centred),
    ),
    _fault(
        "F59",
        "the last term of a sum is taken to be in the output's scale and zero point",
        "opencv/opencv 5.x residual path",
        "parameters",
        last_in_output_scale,
        _reads(last_in_output_scale),
    ),
    _fault(
        "F95",
        "a product or quotient is that of the codes, zero points included",
        "kernels for symmetric codes",
        "parameters",
        products_of_codes,
        _reads(products_of_codes),
    ),
    _fault(
        "F94c",
        "the operands of a difference or a quotient are swapped",
        "kernels that put the broadcast operand second",
        "combination",
        swapped,
        lambda p: (
            p.op in ("QLinearSub", "QLinearDiv")
            and every_pair_differs({"elementwise.combination": swapped})(p)
        ),
    ),
    _fault(
        "F92",
        "whatever the operator is, the operands are added",
        "opencv/opencv 5.x fuses every element-wise layer as a sum",
        "combination",
        always_added,
        lambda p: (
            p.op not in ("QLinearAdd", "QLinearSum")
            and every_pair_differs({"elementwise.combination": always_added})(p)
        ),
    ),
    _fault(
        "F93",
        "of three and more operands only two are used",
        "opencv/opencv 5.x checks for at least two inputs",
        "combination",
        first_two,
        lambda p: len(p.operands.inputs) > 2,
    ),
    _fault(
        "F35.add",
        "uint8 operands are read as int8",
        "kernels for signed codes only",
        "combination",
        unsigned_as_signed,
        lambda p: (
            p.dtype == np.uint8
            and every_pair_differs({"elementwise.combination": unsigned_as_signed})(p)
        ),
    ),
    _fault(
        "F91",
        "the inputs of a sum, a maximum or a minimum are not rescaled to the output's scale",
        "adders of codes in one scale",
        "parameters",
        without_rescaling,
        _reads(without_rescaling),
    ),
    _fault(
        "F91b",
        "every operand is read with the scale and zero point of the first",
        "one set of parameters passed twice",
        "parameters",
        all_as_first,
        _reads(all_as_first),
    ),
    _fault(
        "F94",
        "a smaller operand is repeated element after element instead of broadcast",
        "tenstorrent/tt-metal#15359; ml-explore/mlx#3480",
        "align",
        flat_modulo,
        _spreads(flat_modulo),
    ),
    _fault(
        "F94b",
        "the shapes of operands are aligned at their first dimensions",
        "broadcasting of other frameworks",
        "align",
        aligned_left,
        _spreads(aligned_left),
    ),
)
