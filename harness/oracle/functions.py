"""Functions of one tensor on sets of reals: activations, softmax, batch normalization.

No standard bounds the error of a float32 function. Granted to every implementation of f:

    |computed f(x) - f(x)| <= GRANTED u (1 + |x| + |f(x)|),   u = 2^-24.

Measured on 400,000 arguments in [-30, 30] against float64: see ``tests/harness/oracle/test_functions``,
which keeps the largest error of onnxruntime's and torch's functions under half of it.

A function that is monotone takes the ends of a set to the ends of the result; one with a single lowest
point (Swish, Mish, Gelu, HardSwish, Abs) has that value as its lower end where the set holds the point.
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
from harness.oracle.values import FLOAT32_END, UNBOUNDED, Reals, Silent

GRANTED = 32.0
"""Units of u; see above."""

SELU = (1.67326319217681884765625, 1.05070102214813232421875)
_ERF = np.vectorize(math.erf, otypes=[np.float64])
_FAR = 700.0  # exp of more leaves float64


@dataclass(frozen=True, slots=True)
class Shape:
    """A function in float64; ``lowest`` is where its only lowest point is, None if it is monotone.

    ``falls``: it is monotone, and decreasing.
    """

    f: Callable[[Array], Array]
    lowest: float | None = None
    falls: bool = False


def _exp(x: Array) -> Array:
    return np.exp(np.minimum(x, _FAR))


def _logistic(x: Array) -> Array:
    y: Array = 1 / (1 + _exp(-x))
    return y


def _softplus(x: Array) -> Array:
    return np.logaddexp(0, x)


def _mish(x: Array) -> Array:
    y: Array = x * np.tanh(_softplus(x))
    return y


def _gelu(x: Array) -> Array:
    y: Array = 0.5 * x * (1 + _ERF(x / math.sqrt(2)))
    return y


def _gelu_tanh(x: Array) -> Array:
    y: Array = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return y


def _hard_sigmoid(x: Array, alpha: float = 1 / 6, beta: float = 0.5) -> Array:
    return np.clip(alpha * x + beta, 0, 1)


_PLAIN: Mapping[str, Shape] = MappingProxyType(
    {
        "Abs": Shape(np.abs, lowest=0.0),
        "Erf": Shape(_ERF),
        "Exp": Shape(_exp),
        "HardSwish": Shape(lambda x: x * _hard_sigmoid(x), lowest=-1.5),
        "Mish": Shape(_mish, lowest=-1.1924313),
        "Neg": Shape(np.negative, falls=True),
        "Softplus": Shape(_softplus),
        "Softsign": Shape(lambda x: x / (1 + np.abs(x))),
        "Tanh": Shape(np.tanh),
    }
)


def _shape(node: Node) -> Shape:
    """The function of a node, its attributes put in."""
    given = node.attributes
    if node.op in _PLAIN:
        return _PLAIN[node.op]
    alpha = float(
        given.get("alpha", {"LeakyRelu": 0.01, "HardSigmoid": 0.2}.get(node.op, 1.0))
    )
    if node.op == "LeakyRelu":
        _require(alpha >= 0, node, alpha)
        return Shape(lambda x: np.where(x < 0, alpha * x, x))
    if node.op == "HardSigmoid":
        _require(alpha >= 0, node, alpha)
        beta = float(given.get("beta", 0.5))
        return Shape(lambda x: _hard_sigmoid(x, alpha, beta))
    if node.op in ("Elu", "Celu"):
        _require(alpha > 0, node, alpha)
        slope = alpha if node.op == "Celu" else 1.0
        return Shape(lambda x: np.where(x < 0, alpha * np.expm1(np.minimum(x, 0) / slope), x))
    if node.op == "Selu":
        a, g = (float(given.get(n, d)) for n, d in zip(("alpha", "gamma"), SELU, strict=True))
        _require(a >= 0 and g >= 0, node, a)
        return Shape(lambda x: g * np.where(x < 0, a * np.expm1(np.minimum(x, 0)), x))
    if node.op == "ThresholdedRelu":
        _require(alpha >= 0, node, alpha)
        return Shape(lambda x: np.where(x > alpha, x, 0.0))
    if node.op == "Swish":
        return Shape(lambda x: x * _logistic(alpha * x), lowest=-1.2784645 / alpha)
    return Shape(
        _gelu_tanh if given.get("approximate", b"none") == b"tanh" else _gelu,
        lowest=-0.7524614 if given.get("approximate", b"none") == b"tanh" else -0.7517916,
    )


def _require(holds: bool, node: Node, value: float) -> None:
    if not holds:
        raise Silent(f"alpha {value} makes it neither rising nor falling", node.where)


def function(node: Node, inputs: Inputs) -> Reals:
    """A function of each element, with the error that is granted to it."""
    return applied(_shape(node), inputs.reals(0))


def applied(shape: Shape, x: Reals) -> Reals:
    """The values of a function on every element's set."""
    slack = x.roundings() * x.size()
    low, high = x.low - slack, x.high + slack
    ends = shape.f(low), shape.f(high)
    least, most = np.minimum(*ends), np.maximum(*ends)
    if shape.lowest is not None:
        inside = (low < shape.lowest) & (high > shape.lowest)
        bottom = shape.f(np.array([shape.lowest]))[0]
        least = np.where(inside, np.minimum(bottom, least), least)
    centre = shape.f(x.centre)
    error = GRANTED * UNIT * (1 + x.size() + np.maximum(np.abs(least), np.abs(most)))
    error = np.where(x.size() + np.abs(most) >= FLOAT32_END / 2, 2 * UNBOUNDED, error)
    return Reals(least - error, centre, most + error, quantum=x.quantum)


def logarithm(node: Node, inputs: Inputs) -> Reals:
    """Log and Sqrt; what is not above 0 may become anything."""
    x = inputs.reals(0)
    f = np.log if node.op == "Log" else np.sqrt
    slack = x.roundings() * x.size()
    low, high = x.low - slack, x.high + slack
    bad = low <= 0
    safe = np.where(bad, 1.0, low), np.where(bad, 1.0, x.centre), np.where(bad, 1.0, high)
    least, centre, most = (f(each) for each in safe)
    error = GRANTED * UNIT * (1 + np.maximum(np.abs(least), np.abs(most)))
    error = np.where(bad, 2 * UNBOUNDED, error)
    return Reals(least - error, centre, most + error)


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
        _exp(np.clip(each - top, -_FAR, _FAR))
        for each in (x.low - slack, x.centre, x.high + slack)
    )
    total_low, total_high = (each.sum(axis=axes, keepdims=True) for each in (low, high))
    least = low / (low + np.maximum(total_high - high, 0))
    most = high / (high + np.maximum(total_low - low, 0))
    y = centre / centre.sum(axis=axes, keepdims=True)
    count = math.prod(x.centre.shape[i] for i in axes)
    error = (gamma(count) + GRANTED * UNIT) * FLOAT64_ALLOWANCE * (most + UNIT)
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
    small, large = (_exp(np.clip(each, -_FAR, _FAR)) for each in (low, high))
    least = low - np.log(small + np.maximum(large.sum(axes, keepdims=True) - large, 0))
    most = high - np.log(large + np.maximum(small.sum(axes, keepdims=True) - small, 0))
    y = centre - np.log(_exp(centre).sum(axis=axes, keepdims=True))
    count = math.prod(x.centre.shape[i] for i in axes)
    size = 1 + x.size() + np.abs(top) + np.maximum(np.abs(least), np.abs(most))
    error = (gamma(count) + GRANTED * UNIT) * FLOAT64_ALLOWANCE * size
    error = np.where(size >= FLOAT32_END / 2, 2 * UNBOUNDED, error)
    return Reals(least - error, y, most + error)


def _softmax_axes(x: Reals, axis: int, opset: int) -> tuple[int, ...]:
    rank = x.centre.ndim
    axis = axis + rank if axis < 0 else axis
    return (axis,) if opset >= 13 else tuple(range(axis, rank))


def batch_normalization(node: Node, inputs: Inputs) -> Reals:
    """``(x - mean) / sqrt(var + epsilon) * scale + bias`` for each channel."""
    if node.attributes.get("training_mode", 0):
        raise Silent("training mode is not judged", node.where)
    x = inputs.reals(0)
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    spread = (1, -1, *(1,) * (x.centre.ndim - 2))
    scale, bias, mean, variance = (
        inputs.array(i).astype(np.float64).reshape(spread) for i in (1, 2, 3, 4)
    )
    slope = scale / np.sqrt(variance + epsilon)
    return affine(x, slope, bias - mean * slope, np.abs(mean * slope) + np.abs(bias))


def affine(x: Reals, slope: Array, offset: Array, terms: Array) -> Reals:
    """``slope x + offset``, evaluated in any of the usual orders; ``terms`` what is added up."""
    ends = x.low * slope, x.high * slope
    centre = x.centre * slope + offset
    size = x.size() * np.abs(slope) + terms
    error = FLOAT64_ALLOWANCE * (x.roundings() + gamma(12)) * size + SMALLEST_NORMAL
    error = np.where(size >= FLOAT32_END / 2, 2 * UNBOUNDED, error)
    low, high = np.minimum(*ends) + offset - error, np.maximum(*ends) + offset + error
    quantum = None if x.quantum is None else np.abs(slope) * x.quantum
    return Reals(low, centre, high, quantum=quantum)


def prelu(node: Node, inputs: Inputs) -> Reals:
    """``x`` above 0, ``slope x`` below."""
    x, slope = inputs.reals(0), inputs.array(1).astype(np.float64)
    slack = x.roundings() * x.size()

    def f(values: Array) -> Array:
        return np.where(values < 0, slope * values, values)

    ends = f(x.low - slack), f(x.high + slack)
    least, most = np.minimum(*ends), np.maximum(*ends)
    crosses = (x.low < 0) & (x.high > 0)
    least = np.where(crosses, np.minimum(least, 0), least)
    error = gamma(3) * np.maximum(np.abs(least), np.abs(most))
    return Reals(least - error, f(x.centre), most + error, quantum=x.quantum)


OPERATORS: Mapping[str, Callable[[Node, Inputs], Reals]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *_PLAIN,
                "Celu",
                "Elu",
                "Gelu",
                "HardSigmoid",
                "LeakyRelu",
                "Selu",
                "Swish",
                "ThresholdedRelu",
            ),
            function,
        ),
        "BatchNormalization": batch_normalization,
        "Log": logarithm,
        "LogSoftmax": log_softmax,
        "PRelu": prelu,
        "Softmax": softmax,
        "Sqrt": logarithm,
    }
)
