"""A convolution and a residual in one rounding."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from engine.ir import Array

_NEAR = 2.0**-30
_DOUBT = 2.0**-49


@dataclass(frozen=True, slots=True)
class Residual:
    """``v = (xs*ws * acc + rs * (r - rz)) / ys``; ``w_scale`` is shaped to broadcast against acc."""

    x_scale: np.float32
    w_scale: Array
    r_scale: np.float32
    y_scale: np.float32


ResidualRule = Callable[[Residual, Array, Array], Array]
"""(scales, acc, r - rz as int32) -> steps before the rounding."""


def exact_residual(s: Residual, acc: Array, rest: Array) -> Array:
    """The real value of both terms, on the right side of every tie, float64."""
    product = np.float64(s.x_scale) * s.w_scale.astype(np.float64)
    first, second = acc * product, rest * np.float64(s.r_scale)
    v: Array = (first + second) / np.float64(s.y_scale)
    distance = np.abs(v - np.rint(v))
    doubt = _NEAR + _DOUBT * (np.abs(first) + np.abs(second)) / np.float64(s.y_scale)
    scales = np.broadcast_to(product, v.shape)
    for place in np.argwhere(distance > 0.5 - doubt):
        at = tuple(place)
        total = Fraction(int(acc[at])) * Fraction(float(scales[at])) + Fraction(
            int(rest[at])
        ) * Fraction(float(s.r_scale))
        steps = total / Fraction(float(s.y_scale))
        half = Fraction(np.floor(v[at])) + Fraction(1, 2)
        v[at] = float(half) + _NEAR * ((steps > half) - (steps < half))
    return v
