"""Element-wise operators on codes: sum, difference, product, quotient, maximum, minimum.

Stages, each a pure function that a fault may replace: ``parameters`` and ``combination`` (what is
computed, at load); then align -> combine -> round -> saturate -> activate.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.arithmetic import RANGES, round_half_even
from engine.errors import InvalidModel
from engine.ir import Array, Node
from engine.kernels.combination_parameters import (
    PAIRS,
    CombinationParameters,
    Dtype,
    read_combination,
    zero_points,
)
from engine.kernels.elementwise import BLOCK, pieces
from engine.kernels.operator import (
    CONTRIB,
    INTERNAL,
    MANY,
    Kernel,
    Operator,
    Setting,
    operator,
)
from engine.kernels.qlinear_parameters import (
    code_type,
    constants_of,
    require_codes,
    require_inputs,
)
from engine.profiles.elementwise import Combination, Elementwise
from engine.profiles.elementwise_exact import Prepare

Finish = Callable[[Sequence[Array], int], Array]
"""(codes of one shape, which operand is constant in the innermost span) -> codes."""

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "QLinearAdd": "add",
        "QLinearSub": "subtract",
        "QLinearMul": "multiply",
        "QLinearDiv": "divide",
        "QLinearSum": "total",
        "QLinearMax": "largest",
        "QLinearMin": "smallest",
    }
)
"""The field of ``Elementwise`` that computes each operator."""


def combine_codes(node: Node, setting: Setting) -> Kernel:
    """``y = sat(rne(f(a, b, ...) / ys) + yz)``, f on the dequantized inputs, broadcast.

    Scales and zero points may be computed: they are then read in each run.

    Source:
        com.microsoft QLinearAdd, QLinearMul; the others are alike.
    """
    pair = node.op in PAIRS
    if not pair and (len(node.inputs) < 5 or (len(node.inputs) - 2) % 3):
        raise InvalidModel(
            f"{node.op} {node.id!r} has {len(node.inputs)} inputs; it takes 2 and 3 for each tensor"
        )
    places = [0, 3] if pair else list(range(2, len(node.inputs), 3))
    require_inputs(node, (*places, *(place + 1 for place in places), 6 if pair else 0))
    others = [i for i in range(len(node.inputs)) if i not in places]
    arrays = constants_of(node, setting, others)
    if arrays is not None:
        found = dict(zip(others, arrays, strict=True))
        if code_type(node, zero_points(found, places, pair)):
            parameters = read_combination(node, setting.graph, found, places, ())
            kernel = combination_kernel(node, parameters, setting)
            return Kernel(
                lambda *given: kernel([given[place] for place in places]), "", parameters
            )

    def run(*given: Array | None) -> Array:
        codes: list[Any] = [given[place] for place in places]
        arrays = dict(enumerate(given))
        parameters = read_combination(node, setting.graph, arrays, places, codes)
        y: Array = combination_kernel(node, parameters, setting)(codes)
        return y

    return Kernel(run)


def parameters_as_given(p: CombinationParameters) -> CombinationParameters:
    """The record as it was read."""
    return p


def combination_of(rules: Elementwise, p: CombinationParameters) -> Combination:
    """What computes the operator in a profile."""
    found: Combination = getattr(rules, FIELDS[p.op])
    return found


def align(codes: Sequence[Array]) -> list[Array]:
    """Tensors of one rank: missing dimensions are put in front, as ONNX broadcasts."""
    rank = max(each.ndim for each in codes)
    if all(each.ndim == rank for each in codes):
        return list(codes)
    return [each.reshape((1,) * (rank - each.ndim) + each.shape) for each in codes]


def clamp(codes: Array, p: CombinationParameters) -> Array:
    """The activation in the domain of codes: ``min(max(q, low), high)``, R11."""
    clamped: Array = np.minimum(np.maximum(codes, p.low), p.high)
    return clamped


def combination_kernel(
    node: Node, parameters: CombinationParameters, setting: Setting
) -> Callable[[Sequence[Array]], Array]:
    """The prepared operation as a function of its tensors of codes."""
    p = setting.stage("elementwise.parameters", parameters_as_given)(parameters)
    chosen = setting.stage("elementwise.combination", combination_of)(
        setting.profile.elementwise, p
    )
    aligned = setting.stage("elementwise.align", align)
    main = _finisher(p, chosen.main, chosen, setting)
    tail = _finisher(p, chosen.tail, chosen, setting) if chosen.tail else None

    def run(codes: Sequence[Array]) -> Array:
        require_codes(node, codes, p.dtype)
        views = aligned(codes)
        y = np.empty(_common([each.shape for each in views]), p.dtype)
        whole = y.size // chosen.block * chosen.block if tail else y.size
        inner = constant_span([each.shape for each in views])
        function = _by_pairs(main, p.dtype, inner) if _pays(views, y.size, tail) else main
        done = 0
        for *parts, out in pieces(views, y):
            split = min(max(whole - done, 0), out.size)
            if split:
                out[:split] = function([each[:split] for each in parts], inner)
            if split < out.size and tail:
                out[split:] = tail([each[split:] for each in parts], inner)
            done += out.size
        return y

    return run


def _finisher(
    p: CombinationParameters, prepare: Prepare, chosen: Combination, setting: Setting
) -> Finish:
    combine = setting.stage("elementwise.combine", prepare)(p.operands)
    to_integers = setting.stage("elementwise.round", round_half_even)
    saturate = setting.stage("elementwise.saturate", chosen.saturate)
    activate = setting.stage("elementwise.activate", clamp)
    bottom, top = RANGES[p.dtype]

    def finish(codes: Sequence[Array], inner: int) -> Array:
        steps, offset = combine(codes, inner)
        rounded = saturate(to_integers(steps), bottom - offset, top - offset)
        q: Array = (rounded + offset).astype(p.dtype)
        return activate(q, p) if p.activation else q

    return finish


def _common(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    first = shapes[0]
    if all(each == first for each in shapes):
        return first
    return np.broadcast_shapes(*shapes)


def _pays(views: Sequence[Array], size: int, tail: Finish | None) -> bool:
    """Whether a table of all pairs of codes is cheaper: two tensors, several times its size."""
    return len(views) == 2 and size > 2 * BLOCK and tail is None


def _by_pairs(function: Finish, dtype: Dtype, inner: int) -> Finish:
    """``function`` as a table over all 65,536 pairs of codes."""
    every = np.arange(256, dtype=np.uint8).view(dtype)
    table = function([np.repeat(every, 256), np.tile(every, 256)], inner)

    def look_up(codes: Sequence[Array], inner: int) -> Array:
        first, second = (each.view(np.uint8) for each in codes)
        pair = first.astype(np.uint16)
        pair <<= 8
        pair |= second
        found: Array = table[pair]
        return found

    return look_up


def constant_span(shapes: Sequence[tuple[int, ...]]) -> int:
    """Which of two operands has one value over the innermost span of a broadcast; -1: neither.

    Dimensions of size 1 on both sides do not end the span.
    """
    if len(shapes) == 2:
        for first, second in zip(*(reversed(each) for each in shapes), strict=True):
            if first != second:
                return 0 if first == 1 else 1
            if first != 1:
                break
    return -1


def _pair(name: str, domains: tuple[str, ...]) -> Operator:
    return operator(name, combine_codes, inputs=(2, 8), domains=domains)


def _list(name: str) -> Operator:
    return operator(name, combine_codes, inputs=(5, MANY), domains=INTERNAL)


OPERATORS = (
    _pair("QLinearAdd", CONTRIB),
    _pair("QLinearMul", CONTRIB),
    _pair("QLinearSub", INTERNAL),
    _pair("QLinearDiv", INTERNAL),
    _list("QLinearSum"),
    _list("QLinearMax"),
    _list("QLinearMin"),
)
"""Fused nodes also have ``activation``, ``low``, ``high``, ``bounds``; QLinearSum ``coefficients``."""
