"""How far a convolution reaches, for triggers of its faults."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import subtract_zero_points

MOST = 2**31


@dataclass(frozen=True, slots=True)
class Reach:
    """The channels of one scale: their exact multiplier, bounds on sums without and with bias."""

    multiplier: Fraction
    products: int
    sums: int
    bias: int

    @property
    def steps(self) -> float:
        """How far the unrounded steps reach from the zero point."""
        return float(self.multiplier * self.sums)

    @property
    def ties(self) -> bool:
        """Whether some ``acc * xs*ws/ys`` in reach is a half-integer inside the range of codes.

        With the multiplier n/d in lowest terms, ``acc * n/d`` is a half-integer for acc an odd
        multiple of d/2, so that d must be even, n odd; the first tie is at n/2.
        """
        m = self.multiplier
        return m.denominator % 2 == 0 and m.denominator // 2 <= self.sums and m.numerator < 512

    @property
    def fractions(self) -> bool:
        """Whether some unrounded step lies between two codes."""
        return self.multiplier.denominator > 1 and self.sums > 0


def reach(p: ConvParameters) -> tuple[Reach, ...]:
    """What the codes of x may make of the sums; () where no codes follow these."""
    return steps_of(p) if p.ending == "codes" else ()


def steps_of(p: ConvParameters) -> tuple[Reach, ...]:
    """The same, whatever follows."""
    products = largest_products(p)
    bias = np.zeros(1) if p.bias is None else np.abs(p.bias.astype(np.int64))
    products, bias, scales = np.broadcast_arrays(products, bias, p.w_scales)
    found = []
    for scale in np.unique(scales):
        here = scales == scale
        multiplier = Fraction(float(p.x_scale)) * Fraction(float(scale))
        found.append(
            Reach(
                multiplier / Fraction(float(p.y_scale)),
                int(products[here].max()),
                min(int((products + bias)[here].max()), MOST),
                int(bias[here].max()),
            )
        )
    return tuple(found)


def largest_products(p: ConvParameters) -> Array:
    """For each output channel, what ``|sum (x - zx)(w - zw)|`` cannot exceed."""
    zero, info = p.x_zero_point, np.iinfo(p.x_dtype)
    distance = max(zero - int(info.min), int(info.max) - zero)
    weights = np.abs(subtract_zero_points(p)).reshape(p.out_channels, -1)
    most: Array = distance * weights.sum(axis=1, dtype=np.int64)
    return most
