"""LayerNormalization and InstanceNormalization on sets of reals.

``y = (x - mean) / sqrt(var + epsilon) * scale + bias``. A kernel may compute the variance as the mean of
squares less the square of the mean, which cancels: its error is ``gamma(n + 6) (mean(x^2) + mean(|x|)^2)``.
What the sets and these errors leave open of mean and variance is carried to the ends of the result.

Source: ONNX LayerNormalization-17, InstanceNormalization-22.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import FLOAT64_ALLOWANCE, SMALLEST_NORMAL, UNIT, gamma
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.values import UNBOUNDED, Reals


@dataclass(frozen=True, slots=True)
class Ends:
    """Low, centre and high of one quantity."""

    low: Array
    centre: Array
    high: Array


def layer_normalization(node: Node, inputs: Inputs) -> Reals:
    """Over all axes from ``axis`` on; scale and bias broadcast. Only the first output is judged."""
    x = inputs.reals(0)
    rank = x.centre.ndim
    axes = tuple(range(int(node.attributes.get("axis", -1)) % rank, rank))
    scale = inputs.array(1).astype(np.float64)
    bias = inputs.optional(2)
    return _normalized(x, axes, scale, np.zeros(()) if bias is None else bias, node)


def instance_normalization(node: Node, inputs: Inputs) -> Reals:
    """Over each plane, scale and bias for each channel."""
    x = inputs.reals(0)
    spread = (-1, *(1,) * (x.centre.ndim - 2))
    scale, bias = (inputs.array(i).astype(np.float64).reshape(spread) for i in (1, 2))
    return _normalized(x, tuple(range(2, x.centre.ndim)), scale, bias, node)


def _normalized(
    x: Reals, axes: tuple[int, ...], scale: Array, bias: Array, node: Node
) -> Reals:
    epsilon = float(np.float32(node.attributes.get("epsilon", 1e-5)))
    away, deviation = _deviations(x, axes, epsilon)
    low, high = _quotient(away, deviation)
    ends = low * scale, high * scale
    centre = away.centre / deviation.centre * scale + bias
    size = np.maximum(np.abs(ends[0]), np.abs(ends[1])) + np.abs(bias)
    error = FLOAT64_ALLOWANCE * gamma(6) * size + SMALLEST_NORMAL
    error = np.where(np.isfinite(size), error, 2 * UNBOUNDED)
    least, most = np.minimum(*ends) + bias - error, np.maximum(*ends) + bias + error
    least, most = np.nan_to_num(least, nan=-UNBOUNDED), np.nan_to_num(most, nan=UNBOUNDED)
    return Reals(least, centre, most)


def _deviations(x: Reals, axes: tuple[int, ...], epsilon: float) -> tuple[Ends, Ends]:
    """``x - mean`` and ``sqrt(var + epsilon)``, float32 errors included."""
    count = math.prod(x.centre.shape[i] for i in axes)

    def mean(array: Array) -> Array:
        found: Array = array.mean(axis=axes, keepdims=True)
        return found

    size, carried = x.size(), x.roundings() * x.size()
    granted = FLOAT64_ALLOWANCE * gamma(count + 6)
    shift = granted * mean(size)
    below, above = x.low - carried, x.high + carried
    middle = x.centre - mean(x.centre)
    away = Ends(
        below - mean(above) - shift - UNIT * size,
        middle,
        above - mean(below) + shift + UNIT * size,
    )
    spread = granted * (mean(size**2) + mean(size) ** 2)
    smallest, largest = _squares(below - mean(above), above - mean(below))
    variance = Ends(
        np.maximum(mean(smallest) - spread, 0.0), mean(middle**2), mean(largest) + spread
    )
    roots = [
        np.sqrt(each + epsilon) for each in (variance.low, variance.centre, variance.high)
    ]
    return away, Ends(*roots)


def _squares(low: Array, high: Array) -> tuple[Array, Array]:
    """The smallest and largest square of each interval."""
    smallest = np.where((low < 0) & (high > 0), 0.0, np.minimum(low**2, high**2))
    return smallest, np.maximum(low**2, high**2)


def _quotient(away: Ends, deviation: Ends) -> tuple[Array, Array]:
    """``away / deviation``; the deviation is not negative, and 0 leaves everything open."""
    least = np.where(deviation.low > 0, deviation.low, 2.0**-200)
    low = np.where(away.low < 0, away.low / least, away.low / deviation.high)
    high = np.where(away.high > 0, away.high / least, away.high / deviation.high)
    return low, high


OPERATORS: Mapping[str, Callable[[Node, Inputs], Reals]] = MappingProxyType(
    {
        "InstanceNormalization": instance_normalization,
        "LayerNormalization": layer_normalization,
    }
)
