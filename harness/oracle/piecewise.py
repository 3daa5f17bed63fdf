"""Functions of one tensor that are straight lines between bends: Abs, Neg, LeakyRelu, PRelu, ThresholdedRelu.

A part of slope 1, 0 or -1 costs no rounding and keeps ties exact, any other slope one product.
Source: ONNX Abs-13, Neg-13, LeakyRelu-16, PRelu-16, ThresholdedRelu-10..22.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import FLOAT64_ALLOWANCE, SMALLEST_NORMAL, gamma, is_power_of_two
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.values import Codes, Reals, Value


def negated(x: Reals) -> Reals:
    """``-x``, exact; the scale of where it came from is asked for by its magnitude only."""
    centre = -x.centre
    low, high = (centre, centre) if x.is_point else (-x.high, -x.low)
    other = None if x.other is None else -x.other
    return replace(x, low=low, centre=centre, high=high, other=other)


def mirrored(x: Reals, turned: Array) -> Reals:
    """``-x`` where ``turned`` (broadcastable), x elsewhere."""
    if turned.all():
        return negated(x)
    centre = np.where(turned, -x.centre, x.centre)
    low, high = centre, centre
    if not x.is_point:
        low, high = np.where(turned, -x.high, x.low), np.where(turned, -x.low, x.high)
    other = None if x.other is None else np.where(turned, -x.other, x.other)
    return replace(x, low=low, centre=centre, high=high, other=other)


def negative(node: Node, inputs: Inputs) -> Value:
    """``-x``; of integers too."""
    x = inputs.value(0)
    if isinstance(x, Reals):
        return negated(x)
    return Codes(x.dtype, -x.high, -x.centre, -x.low, -x.centre)


def absolute(node: Node, inputs: Inputs) -> Reals:
    """``|x|``, exact."""
    x = inputs.reals(0)
    centre = np.abs(x.centre)
    if x.is_point:
        return replace(x, low=centre, centre=centre, high=centre, origin=None, other=None)
    crosses = (x.low < 0) & (x.high > 0)
    ends = np.abs(x.low), np.abs(x.high)
    low = np.where(crosses, 0.0, np.minimum(*ends))
    high = np.maximum(*ends)
    return replace(x, low=low, centre=centre, high=high, origin=None, other=None)


def thresholded_relu(node: Node, inputs: Inputs) -> Reals:
    """``x`` above alpha, else 0; what may lie on either side may become either."""
    x, alpha = inputs.reals(0), float(node.attributes.get("alpha", 1.0))

    def above(values: Array) -> Array:
        return np.where(values > alpha, values, 0.0)

    slack = x.roundings() * x.size()
    doubtful = (x.low - slack <= alpha) & (x.high + slack > alpha)
    doubtful &= (x.low != x.high) | (x.centre != alpha)
    centre = above(x.centre)
    if x.is_point and not doubtful.any():
        return replace(x, low=centre, centre=centre, high=centre, origin=None, other=None)
    low, high = above(x.low), above(x.high)
    low = np.where(doubtful, np.minimum(np.minimum(x.low, alpha), 0.0), low)
    high = np.where(doubtful, np.maximum(np.maximum(x.high, alpha), 0.0), high)
    return replace(x, low=low, centre=centre, high=high, origin=None, other=None)


def leaky_relu(node: Node, x: Reals) -> Reals:
    """``x`` above 0, ``alpha x`` below."""
    return bent(x, float(node.attributes.get("alpha", 0.01)))


def bent(x: Reals, slope: Any) -> Reals:
    """``x`` above 0, ``slope x`` below; slope a number or broadcastable."""

    def f(values: Array) -> Array:
        return np.where(values < 0, slope * values, values)

    centre = f(x.centre)
    size = np.abs(np.asarray(slope, np.float64))
    factor = np.where(size == 0, 1.0, np.where(is_power_of_two(size), size, 0.0))
    grid = np.where(x.low >= 0, x.grid, np.minimum(x.grid, x.grid * factor))
    grid = np.where(grid >= SMALLEST_NORMAL, grid, 0.0)
    ends = f(x.low), f(x.high)
    least, most = np.minimum(*ends), np.maximum(*ends)
    crosses = (x.low < 0) & (x.high > 0)
    least = np.where(crosses, np.minimum(least, 0.0), least)
    rounded = (x.low < 0) & (grid == 0)
    error = gamma(2) * FLOAT64_ALLOWANCE * np.maximum(np.abs(least), np.abs(most))
    error = np.where(rounded, error + SMALLEST_NORMAL, 0.0)
    if x.is_point and not error.any():
        low = high = centre
    else:
        low, high = least - error, most + error
    return replace(
        x,
        low=low,
        centre=centre,
        high=high,
        grid=grid,
        origin=None,
        expanded=False,
        other=None,
    )


OPERATORS: Mapping[str, Callable[[Node, Inputs], Value]] = MappingProxyType(
    {
        "Abs": absolute,
        "LeakyRelu": lambda node, inputs: leaky_relu(node, inputs.reals(0)),
        "Neg": negative,
        "PRelu": lambda node, inputs: bent(
            inputs.reals(0), inputs.array(1).astype(np.float64)
        ),
        "ThresholdedRelu": thresholded_relu,
    }
)
