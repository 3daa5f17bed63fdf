"""A fault of products with a constant: they are part of the range that codes are counted in."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.faults.fault import Fault
from engine.ir import Array, Graph, Node
from engine.kernels.combination_parameters import CombinationParameters
from engine.kernels.operator import Setting
from engine.kernels.qlinear_binary import combination_kernel, combination_of
from engine.kernels.stages import correct_stages
from engine.profiles import PROFILES
from engine.profiles.elementwise import Combination, Elementwise
from engine.profiles.elementwise_exact import Combine, Operands, Prepare, Steps, differences

_EXACT = PROFILES["spec"]
_LEVELS = np.float32(255)


def counted_from_the_lowest(rules: Elementwise, p: CombinationParameters) -> Combination:
    """``rne(fl(fl(x i) - fl(l i))) + lowest``, ``i = fl(255 / fl(h - l))``, x clipped to [l, h].

    With the constant's real k, ``f = fl(k s)`` and the reals L and H of the lowest and the highest
    code, x is ``q - z``, ``l = fl(L / f)`` and ``h = fl(H / f)``; where some f is not positive x is
    ``fl((q - z) f)``, l is L and h is H. Of int8 codes without a zero point it is ``rne(fl(x i))``.
    """
    right, place = combination_of(rules, p), _place_of_constant(p)
    return right if place is None else Combination(_counting(right.main, place))


def _counting(right: Prepare, place: int) -> Prepare:
    def prepare(o: Operands) -> Combine:
        combine = right(o)
        lowest = -128 if o.signed else 0
        ends = [
            np.float32(code - o.y_zero_point) * o.y_scale for code in (lowest, lowest + 255)
        ]

        def steps(codes: Sequence[Array], inner: int) -> Steps:
            with np.errstate(all="ignore"):  # of extreme scales, infinity
                x, low, high = _in_range(o, codes, place, ends)
                inverse = _LEVELS / (high - low)
                counted = np.clip(x, low, high) * inverse
                if o.signed and o.y_zero_point == 0:
                    found = counted.astype(np.float64)
                else:
                    found = (counted - low * inverse).astype(np.float64) + lowest
            return (found, 0) if np.isfinite(found).all() else combine(codes, inner)

        return steps

    return prepare


def _in_range(
    o: Operands, codes: Sequence[Array], place: int, ends: Sequence[np.float32]
) -> tuple[Array, Array, Array]:
    """x, l and h."""
    both = [each.astype(np.float32) for each in differences(o, codes)]
    factor = both[place] * o.inputs[place].scale * o.inputs[1 - place].scale
    x = both[1 - place]
    if not (factor > 0).all():
        return x * factor, np.asarray(ends[0]), np.asarray(ends[1])
    return x, ends[0] / factor, ends[1] / factor


def _constant(p: CombinationParameters, place: int) -> Array | None:
    return p.graph.constants.get(p.codes[place])


def _place_of_constant(p: CombinationParameters) -> int | None:
    """Which of the two operands of a product is constant, if one is."""
    if p.op != "QLinearMul":
        return None
    places = [each for each in (0, 1) if _constant(p, each) is not None]
    return places[0] if len(places) == 1 else None


def _shows(p: CombinationParameters) -> bool:
    """Whether some code of the other operand becomes another one."""
    place = _place_of_constant(p)
    if place is None:
        return False
    given = np.unique(np.asarray(_constant(p, place)))
    every = np.arange(RANGES[p.dtype][0], RANGES[p.dtype][1] + 1).astype(p.dtype)
    codes = [np.repeat(every, given.size), np.tile(given, every.size)]
    pair = codes if place == 1 else codes[::-1]
    return not np.array_equal(_codes(p, pair, {}), _codes(p, pair, STAGES))


def _codes(
    p: CombinationParameters, pair: Sequence[Array], stages: Mapping[str, Callable[..., Any]]
) -> Array:
    setting = Setting(Graph(1, (), (), {}, ()), _EXACT, correct_stages(_EXACT), stages)
    return combination_kernel(Node(p.node, p.op, (), ("y",), {}), p, setting)(pair)


STAGES: Mapping[str, Callable[..., Any]] = {"elementwise.combination": counted_from_the_lowest}

FAULTS = (
    Fault(
        "F75.product",
        "the codes of a product with a constant are counted from the lowest on, in a range that it divides",
        "openvinotoolkit/openvino: a Multiply that becomes part of a FakeQuantize, measured on 480 products",
        _shows,
        STAGES,
        record=CombinationParameters,
    ),
)
