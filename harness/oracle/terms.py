"""Sums of products on sets of values, and what float32 kernels may make of them; see ``bounds``."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import (
    EXACT_STEPS,
    FLOAT64_ALLOWANCE,
    SMALLEST_NORMAL,
    UNIT,
    gamma,
    leaves_float32,
)
from harness.oracle.values import FLOAT32_END, UNBOUNDED, Reals

INT32_END = 2.0**31
Multiply = Callable[[Array, Array], Array]
"""The sum of products of two arrays; linear in both."""
Arrange = tuple[Callable[[Array], Array], Callable[[Array], Array]]
"""How both arrays are laid out for it; moves elements, and may add zeros."""


def _as_is(array: Array) -> Array:
    return array


@dataclass(frozen=True, slots=True)
class Terms:
    """A sum before its float32 errors: ends and centre of any shape, sum of magnitudes ``size``.

    ``carried`` is what the operands' own roundings change in a float kernel, ``fused`` the whole
    error of an integer kernel; ``unit`` the grid of every term, broadcastable, 0 for none;
    ``wide`` says where no int32 holds a float bias, so that an integer kernel would be a mistake.
    """

    low: Array
    centre: Array
    high: Array
    size: Array
    carried: Array
    fused: Array
    unit: Array
    wide: Array | None = None


def products(
    x: Reals, w: Reals, multiply: Multiply, unit: Array, arrange: Arrange = (_as_is, _as_is)
) -> Terms:
    """The terms of ``multiply(x, w)`` for every value of both sets, each arranged first."""
    left, right = arrange
    relative = (x.relative + w.relative) * (1 + UNIT)
    a, b = left(x.centre), right(w.centre)
    centre = multiply(a, b)
    if x.is_point and w.is_point:
        size = multiply(np.abs(a), np.abs(b))
        return Terms(
            centre, centre, centre, size, relative * size, gamma(8) * np.abs(centre), unit
        )
    a, b = left((x.low + x.high) / 2), right((w.low + w.high) / 2)
    middle = multiply(a, b)
    size = multiply(left(x.size()), right(w.size()))
    # |x||w| over the whole sets, less the middles' own, bounds what the sets add to the sum.
    radius = size - multiply(np.abs(a), np.abs(b)) + size * 2.0**-50
    if float(size.max(initial=0.0)) >= UNBOUNDED:
        radius = np.full_like(radius, UNBOUNDED)
    low, high = middle - radius, middle + radius
    fused = gamma(8) * np.maximum(np.abs(low), np.abs(high))
    return Terms(low, centre, high, size, relative * size, fused, unit)


def scaled(terms: Terms, factor: float) -> Terms:
    """The terms times a float32 constant, which costs one rounding more (granted by ``settle``)."""
    if factor == 1:
        return terms
    low, high = terms.low * factor, terms.high * factor
    if factor < 0:
        low, high = high, low
    centre = terms.centre * factor
    if terms.low is terms.centre:
        low = high = centre
    size = abs(factor)
    exact = np.frexp(size)[0] == 0.5
    return replace(
        terms,
        low=low,
        centre=centre,
        high=high,
        size=terms.size * size,
        carried=terms.carried * size,
        fused=terms.fused * size + gamma(2) * terms.size * size,
        unit=terms.unit * (size if exact else 0.0),
    )


def add_bias(terms: Terms, bias: Reals, quantum: Array | None) -> Terms:
    """One more term for every sum, shaped to broadcast against it.

    A float bias next to integers becomes an integer number of them in a fused kernel.
    """
    b, size = bias.centre, bias.size()
    grid = np.asarray(bias.grid, np.float64)
    fused, wide = gamma(9) * size, None
    if bias.quantum is None and quantum is not None:
        away = np.abs(b - np.rint(b / quantum) * quantum)
        fused = away + gamma(13) * size
        grid = np.where(away == 0, terms.unit, 0.0)
        wide = np.abs(b) >= INT32_END * quantum
    centre = terms.centre + b
    low, high = centre, centre
    if terms.low is not terms.high or not bias.is_point:
        low, high = terms.low + bias.low, terms.high + bias.high
    return Terms(
        low,
        centre,
        high,
        terms.size + size,
        terms.carried + bias.relative * size,
        terms.fused + fused,
        np.minimum(terms.unit, grid),
        wide,
    )


def settle(terms: Terms, products: int, quantum: Array | None) -> Reals:
    """Adds the kernels' errors to a sum, or finds that there are none."""
    low, high, unit = terms.low, terms.high, terms.unit
    peak = float(terms.size.max(initial=0.0))
    # A grid below the normal numbers may be flushed to zero.
    grid: Array | float = np.where(unit >= SMALLEST_NORMAL, unit, 0.0)
    if peak <= EXACT_STEPS * float(np.min(grid)):
        return Reals(low, terms.centre, high, grid=grid, quantum=quantum)
    error = terms.carried + gamma(products + 4) * terms.size
    if quantum is not None:
        error = np.maximum(error, terms.fused)
    error = FLOAT64_ALLOWANCE * error + products * SMALLEST_NORMAL
    if np.max(grid) > 0:
        exact = terms.size <= EXACT_STEPS * grid
        error, grid = np.where(exact, 0.0, error), np.where(exact, grid, 0.0)
    else:
        grid = 0.0
    is_open = _overflows(terms, peak, quantum)
    if is_open is not None:
        error, grid = np.where(is_open, 2 * UNBOUNDED, error), np.where(is_open, 0.0, grid)
    return Reals(low - error, terms.centre, high + error, grid=grid, quantum=quantum)


def _overflows(terms: Terms, peak: float, quantum: Array | None) -> Array | None:
    """Where a sum may leave float32, or int32 in units of ``quantum``; None for nowhere."""
    if quantum is None:
        return None if peak < FLOAT32_END / 2 else terms.size >= FLOAT32_END / 2
    if leaves_float32(quantum):
        return np.ones(terms.centre.shape, bool)
    limit = np.minimum(INT32_END * (1 - 2.0**-20) * quantum, FLOAT32_END / 2)
    if peak < float(np.min(limit)):
        return None
    is_open = largest(terms.low, terms.centre, terms.high) >= limit
    if terms.wide is not None:
        is_open &= ~terms.wide
    return is_open | (terms.size >= FLOAT32_END / 2)


def largest(low: Array, centre: Array, high: Array) -> Array:
    """The largest magnitude of each element of a set."""
    if low is centre:
        return np.abs(centre)
    return np.maximum(np.abs(low), np.abs(high))
