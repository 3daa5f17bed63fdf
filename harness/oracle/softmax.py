"""Softmax and LogSoftmax on sets of reals.

Granted: the errors of exp and log (module ``functions``), a sum of n in any order, a quotient.
Source: ONNX Softmax-13, LogSoftmax-13; before opset 13 over all axes from ``axis`` on.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import FLOAT64_ALLOWANCE, SMALLEST_NORMAL, UNIT, gamma
from harness.oracle.functions import FAR, GRANTED, bounded_exp
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.values import FLOAT32_END, UNBOUNDED, Reals


def softmax(node: Node, inputs: Inputs) -> Reals:
    """``exp(x_i) / sum exp(x_j)`` along an axis; before opset 13 along all from it on.

    Each element is smallest where it is at its lower end and the others at their upper ones.
    """
    x = inputs.reals(0)
    return softmax_along(
        x, int(node.attributes.get("axis", 1 if node.opset < 13 else -1)), node.opset
    )


def softmax_along(x: Reals, axis: int, opset: int) -> Reals:
    """Softmax of a set, by the meaning that axis has in an opset."""
    axes = _softmax_axes(x, axis, opset)
    slack = x.roundings() * x.size()
    top = x.centre.max(axis=axes, keepdims=True)
    low, centre, high = (
        bounded_exp(np.clip(each - top, -FAR, FAR))
        for each in (x.low - slack, x.centre, x.high + slack)
    )
    total_low, total_high = (each.sum(axis=axes, keepdims=True) for each in (low, high))
    least = low / (low + np.maximum(total_high - high, 0))
    most = high / (high + np.maximum(total_low - low, 0))
    y = centre / centre.sum(axis=axes, keepdims=True)
    count = math.prod(x.centre.shape[i] for i in axes)
    error = _granted(x, top, count) * most + SMALLEST_NORMAL
    return Reals(
        np.maximum(least - error, 0), y, np.minimum(most + error, 1 + error), quantum=UNIT
    )


def log_softmax(node: Node, inputs: Inputs) -> Reals:
    """``x_i - log sum exp(x_j)`` along an axis; before opset 13 along all from it on."""
    x = inputs.reals(0)
    axes = _softmax_axes(
        x, int(node.attributes.get("axis", 1 if node.opset < 13 else -1)), node.opset
    )
    slack = x.roundings() * x.size()
    top = x.centre.max(axis=axes, keepdims=True)
    low, centre, high = (each - top for each in (x.low - slack, x.centre, x.high + slack))
    small, large = (bounded_exp(np.clip(each, -FAR, FAR)) for each in (low, high))
    least = low - np.log(small + np.maximum(large.sum(axes, keepdims=True) - large, 0))
    most = high - np.log(large + np.maximum(small.sum(axes, keepdims=True) - small, 0))
    y = centre - np.log(bounded_exp(centre).sum(axis=axes, keepdims=True))
    count = math.prod(x.centre.shape[i] for i in axes)
    size = 1 + x.size() + np.abs(top) + np.maximum(np.abs(least), np.abs(most))
    error = (gamma(count) + GRANTED * UNIT) * FLOAT64_ALLOWANCE * size
    error = np.where(size >= FLOAT32_END / 2, 2 * UNBOUNDED, error)
    return Reals(least - error, y, most + error)


def _granted(x: Reals, top: Array, count: int) -> Array:
    """The relative error of a probability: its own difference to the largest, and the average one."""
    far = np.maximum(np.abs(x.low - top), np.abs(x.high - top)) + (x.high - x.low).max(
        initial=0.0
    )
    error: Array = gamma(count) + GRANTED * UNIT * (2 + math.log(max(count, 1)) + far)
    return error * FLOAT64_ALLOWANCE


def _softmax_axes(x: Reals, axis: int, opset: int) -> tuple[int, ...]:
    rank = x.centre.ndim
    axis = axis + rank if axis < 0 else axis
    return (axis,) if opset >= 13 else tuple(range(axis, rank))


OPERATORS: Mapping[str, Callable[[Node, Inputs], Reals]] = MappingProxyType(
    {"LogSoftmax": log_softmax, "Softmax": softmax}
)
