"""Scales and zero points, by policy.

``tie-free``: odd random mantissas, so that no real output lies exactly between two codes.
``tie-rich``: exact ties and near ties are frequent; each case is of one style: ``exact`` (powers of
two), ``beside`` (the output's scale is a float32 neighbour of a power of two) or ``decimal``
(decimal scales whose quotient is about a power of two). ``saturating``: output scales so small that
most outputs clip. ``any``: one of these for each case.

An output scale is chosen from the size of the accumulators, so that outputs fill the range of
codes and few clip, except under ``saturating``.
"""

from collections.abc import Sequence
from math import ceil, frexp, ldexp, log2

import numpy as np

from generators.arrays import LOWEST, noise
from generators.choices import Choices

POLICIES = ("tie-free", "tie-rich", "saturating", "any")
TIE_STYLES = ("exact", "beside", "decimal")
DECIMALS = (0.1, 0.05, 0.02, 0.01, 0.3, 0.7)
HALF_RANGE = 110.0  # codes on one side of the middle that an output's typical size takes
_POWERS = (1.0, 0.5, 0.25, 0.125)
_EXPONENTS = (0, -1, -2, -3, -4, -5, -6, -7, -8, 1, 2)


def float32(value: float) -> float:
    """The float32 nearest to ``value``, as a Python float."""
    return float(np.float32(value))


def style(choices: Choices, policy: str) -> str:
    """How the scales of one case are made: ``tie-free``, ``saturating`` or one of ``TIE_STYLES``.

    Raises:
        ValueError: the policy is unknown.
    """
    if policy not in POLICIES:
        raise ValueError(
            f"unknown scale policy {policy!r}, expected one of {', '.join(POLICIES)}"
        )
    tie_style = choices.pick(("exact", "exact", *TIE_STYLES))
    if policy == "any":
        policy = choices.pick(("tie-rich", "tie-free", "saturating"))
    return tie_style if policy == "tie-rich" else policy


def input_scale(choices: Choices, style: str) -> float:
    """A scale of an activation or a weight; 1 is the simplest where the style has it."""
    if style == "tie-free":
        return ldexp(_odd_mantissa(choices), choices.pick(_EXPONENTS))
    if choices.flag() and style == "decimal":
        return float32(choices.pick(DECIMALS))
    return ldexp(1.0, choices.pick(_EXPONENTS))


def _odd_mantissa(choices: Choices) -> float:
    """A float32 in [1, 2) with its last bit set."""
    return 1.0 + (2 * choices.integer(0, 2**22 - 1) + 1) / 2**23


def per_channel(choices: Choices, style: str, scale: float, count: int) -> tuple[float, ...]:
    """``count`` scales of at most ``scale``; powers of two times it where ties are wanted."""
    random = noise(choices.integer(0, 999), count)
    if style == "tie-free":
        factors = np.frombuffer(random, np.uint8) / -511.0 + 1.0
        return tuple((factors * scale).astype(np.float32).tolist())
    return tuple([scale * _POWERS[code % 4] for code in random])


def output_scale(choices: Choices, style: str, size: float, product: float) -> float:
    """The output's scale for accumulators of ``size`` times ``product``, the scale of one.

    ``product`` is x_scale * w_scale. In the styles of ties the scale is a power of two times it.
    """
    target = max(size, 1.0) / HALF_RANGE
    fewer_bits = choices.pick((3, 5, 7) if style == "saturating" else (0, 0, 1, 2))
    if style == "tie-free":
        return float32(target * product * _odd_mantissa(choices))
    scale = float32(ldexp(product, max(1, ceil(log2(target)) - fewer_bits)))
    return _beside(scale, choices.pick((1, -1))) if style == "beside" else scale


def _beside(scale: float, direction: int) -> float:
    """The next float32 above or below ``scale``."""
    return float(np.nextafter(np.float32(scale), np.float32(np.inf * direction)))


def zero_point(choices: Choices, dtype: str) -> int:
    """A zero point: zero, the middle code, an end of the type, or any code."""
    low = LOWEST[dtype]
    kind = choices.pick(("zero", "any", "middle", "low", "high"))
    if kind == "any":
        return low + choices.integer(0, 255)
    return {"zero": 0, "middle": low + 128, "low": low, "high": low + 255}[kind]


def zero_points(choices: Choices, dtype: str, count: int) -> tuple[int, ...]:
    """One zero point, or ``count`` of them around one."""
    first = zero_point(choices, dtype)
    if count == 1 or not choices.flag():
        return (first,)
    low = LOWEST[dtype]
    around = [first + code % 9 - 4 for code in noise(choices.integer(0, 999), count)]
    return tuple([min(max(each, low), low + 255) for each in around])


def is_power_of_two(scale: float) -> bool:
    """Whether a positive scale is a power of two."""
    return frexp(scale)[0] == 0.5


def are_beside_power_of_two(scales: Sequence[float]) -> bool:
    """Whether some scale is a float32 neighbour of a power of two."""
    return any(
        is_power_of_two(float(np.nextafter(np.float32(each), np.float32(side))))
        for each in scales
        for side in (0.0, np.inf)
        if not is_power_of_two(each)
    )
