"""Sums, products, quotients and extremes of dequantized codes as real numbers, rounded once.

Each gives float64 steps on the right side of every tie: a value is a half-integer if and only if the
real one is. Products ``scale * (code - zero point)`` are exact in float64; what is not is decided, near
ties only, by exact sums or rationals.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from engine.ir import Array
from engine.profiles.requantization import Requantization, exact

_F = np.float32
_NEAR = 2.0**-30
_DOUBT = 2.0**-49
"""Relative: far above the error of a float64 sum of a few exact terms."""

Steps = tuple[Array, int]
"""Unrounded steps, and what is added to them after the rounding."""
Combine = Callable[[Sequence[Array], int], Steps]
"""(codes, which operand is constant in the innermost span or -1) -> steps."""


@dataclass(frozen=True, slots=True)
class Operand:
    """The affine map of an input; ``factor`` is its coefficient in a sum, -1 where subtracted."""

    scale: np.float32
    zero_point: int
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Operands:
    """The affine maps of all inputs and of the output; ``signed`` where codes are int8."""

    inputs: tuple[Operand, ...]
    y_scale: np.float32
    y_zero_point: int
    signed: bool = False


Prepare = Callable[[Operands], Combine]


def differences(o: Operands, codes: Sequence[Array]) -> list[Array]:
    """``q - z`` of every input, int32."""
    return [
        each.astype(np.int32) - np.int32(operand.zero_point)
        for each, operand in zip(codes, o.inputs, strict=True)
    ]


def real_inputs(o: Operands, codes: Sequence[Array]) -> list[Array]:
    """``fl((q - z) * s)`` of every input, float32."""
    return [
        each.astype(_F) * operand.scale
        for each, operand in zip(differences(o, codes), o.inputs, strict=True)
    ]


def exact_sum(o: Operands) -> Combine:
    """``v = sum factor*s*(q - z) / ys``, zero point outside."""
    weights = [weight for each in o.inputs for weight in _halves(each)]
    places = [i for i, each in enumerate(o.inputs) for _ in _halves(each)]
    step, always = float(o.y_scale), _sums_exactly(weights)
    cancels = not always and len(weights) > 2 and sum(map(abs, weights)) * 255 > 2.0**18 * step

    def steps(codes: Sequence[Array], inner: int) -> Steps:
        steps_in = differences(o, codes)
        terms = [
            weight * steps_in[place] for weight, place in zip(weights, places, strict=True)
        ]
        total = _exactly(terms) if cancels else sum(terms[1:], terms[0])

        def side(where: tuple[Array, ...], half: Array) -> Array:
            rest = total[where] - half * step
            return rest if always else _resolved(rest, terms, where, half * step)

        return _settled(total / step, side), o.y_zero_point

    return steps


def _halves(operand: Operand) -> tuple[float, ...]:
    """``factor * s`` as numbers of at most 44 bits, so that times a code they are exact."""
    product = float(operand.scale) * operand.factor
    if abs(operand.factor) == 1.0:
        return (product,)
    mantissa, exponent = math.frexp(product)
    high = math.ldexp(round(math.ldexp(mantissa, 26)), exponent - 26)
    return (high, product - high)


def _exactly(terms: Sequence[Array]) -> Array:
    """The sum, rounded once: where terms may cancel that are far larger than a step."""
    spread = np.broadcast_arrays(*terms)
    flat = zip(*(each.reshape(-1).tolist() for each in spread), strict=True)
    return np.array([math.fsum(each) for each in flat], np.float64).reshape(spread[0].shape)


def _sums_exactly(weights: Sequence[float]) -> bool:
    """Whether every sum of weights times codes is exact in float64, in any order."""
    lowest = []
    for each in weights:
        above, below = each.as_integer_ratio()
        lowest.append((above & -above) / below)
    unit = min((each for each in lowest if each), default=1.0)
    return sum(map(abs, weights)) * 255 < unit * 2.0**53


def _resolved(
    rest: Array, terms: Sequence[Array], where: tuple[Array, ...], target: Array
) -> Array:
    """``sum(terms) - target`` with the right sign: doubtful ones are summed exactly."""
    chosen = [each[where] for each in np.broadcast_arrays(*terms)]
    for i in (np.abs(rest) <= _DOUBT * sum(map(np.abs, chosen))).nonzero()[0]:
        rest[i] = math.fsum((*(float(each[i]) for each in chosen), -float(target[i])))
    return rest


def exact_product(o: Operands) -> Combine:
    """``v = (a - az)(b - bz) * as*bs/ys``, zero point outside."""
    a, b = o.inputs
    scale = np.asarray(b.scale, _F)
    r = Requantization(a.scale, scale, o.y_scale, o.y_zero_point, None, False, 1, 1, 1, False)
    rescale = exact(r).steps

    def steps(codes: Sequence[Array], inner: int) -> Steps:
        left, right = differences(o, codes)
        return rescale(left * right), o.y_zero_point

    return steps


def exact_quotient(o: Operands) -> Combine:
    """``v = as*(a - az) / (bs*(b - bz) * ys)``; x/0 is infinite, 0/0 is NaN, zero point outside."""
    a_scale, b_scale = (float(each.scale) for each in o.inputs)
    divisor = b_scale * float(o.y_scale)

    def steps(codes: Sequence[Array], inner: int) -> Steps:
        left, right = np.broadcast_arrays(*differences(o, codes))
        above, below = left * a_scale, right * divisor

        def side(where: tuple[Array, ...], half: Array) -> Array:
            rest = above[where] - half * below[where]
            doubtful = np.abs(rest) <= _DOUBT * np.abs(above[where])
            for i in doubtful.nonzero()[0]:
                a, b = int(left[where][i]), int(right[where][i])
                rest[i] = _sign(a_scale, a, half[i], divisor, b)
            return rest * np.sign(below[where])

        return _settled(above / below, side), o.y_zero_point

    return steps


def _sign(a_scale: float, a: int, half: float, divisor: float, b: int) -> int:
    rest = Fraction(a_scale) * a - Fraction(half) * Fraction(divisor) * b
    return (rest > 0) - (rest < 0)


def _extreme(choose: Callable[[Sequence[Array]], Array]) -> Prepare:
    def prepare(o: Operands) -> Combine:
        step = float(o.y_scale)

        def steps(codes: Sequence[Array], inner: int) -> Steps:
            scaled = [
                each * float(operand.scale)
                for each, operand in zip(differences(o, codes), o.inputs, strict=True)
            ]
            chosen = choose(np.broadcast_arrays(*scaled))

            def side(where: tuple[Array, ...], half: Array) -> Array:
                rest: Array = chosen[where] - half * step
                return rest

            return _settled(chosen / step, side), o.y_zero_point

        return steps

    return prepare


exact_largest: Prepare = _extreme(np.maximum.reduce)
exact_smallest: Prepare = _extreme(np.minimum.reduce)


def _settled(v: Array, side: Callable[[tuple[Array, ...], Array], Array]) -> Array:
    """Moves each v near a half-integer to its exact side of it, or exactly onto it.

    ``side`` gives numbers with the sign of the real value less that half-integer. ``v`` has at least
    one dimension.
    """
    near = np.abs(v - np.rint(v)) > 0.5 - _NEAR
    if near.any():
        where = near.nonzero()
        half = np.floor(v[where]) + 0.5
        v[where] = half + np.sign(side(where, half)) * _NEAR
    return v
