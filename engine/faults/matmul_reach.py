"""How far a product reaches, for triggers of its faults, and how these are written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.matmul_stages import MatMulParameters, subtract_b


@dataclass(frozen=True, slots=True)
class Reach:
    """The exact multipliers that occur, and a bound on the sums and biases."""

    multipliers: tuple[Fraction, ...]
    sums: int

    @property
    def steps(self) -> float:
        """How far the unrounded steps reach from the zero point."""
        return float(max(map(abs, self.multipliers), default=Fraction(0)) * self.sums)

    @property
    def ties(self) -> bool:
        """Whether some step is a half-integer inside the range of codes.

        With the multiplier n/d in lowest terms, ``acc * n/d`` is one for acc an odd multiple of d/2,
        so that d must be even, n odd; the first tie is at n/2.
        """
        return any(
            m.denominator % 2 == 0 and m.denominator // 2 <= self.sums and m.numerator < 512
            for m in self.multipliers
        )


def reach(p: MatMulParameters) -> Reach:
    """What the codes of a may make of the product; nothing without codes of y."""
    if p.y_dtype is None:
        return Reach((), 0)
    low, high = RANGES[p.a_dtype or p.a_zero_point.dtype]
    zeros = p.a_zero_point.astype(np.int64)
    distance = max(int((high - zeros).max()), int((zeros - low).max()))
    sums = np.abs(subtract_b(p).astype(np.int64)).sum(axis=-2).max(initial=0)
    bias = 0 if p.bias is None else int(np.abs(p.bias.astype(np.int64)).max(initial=0))
    multipliers = {
        Fraction(float(a))
        * Fraction(float(b))
        * Fraction(p.alpha)
        / Fraction(float(p.y_scale))
        for a in np.unique(p.a_scale)
        for b in np.unique(p.b_scale)
    }
    return Reach(tuple(multipliers), min(distance * int(sums) + bias, 2**31))


def multipliers(p: MatMulParameters) -> Array:
    """``alpha * as*bs/ys`` for each column, float64."""
    scales = p.alpha * p.a_scale.astype(np.float64) * p.b_scale.astype(np.float64)
    ratio: Array = scales / np.float64(p.y_scale)
    return ratio


def product_fault(
    key: str,
    title: str,
    source: str,
    trigger: Callable[[MatMulParameters], bool],
    stages: Mapping[str, Callable[..., Any]],
) -> Fault:
    """A fault of products that replaces some of their stages, named without the family."""
    named = {f"matmul.{name}": each for name, each in stages.items()}
    return Fault(key, title, source, trigger, named, record=MatMulParameters)
