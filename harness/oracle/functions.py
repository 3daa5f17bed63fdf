"""Functions of one tensor on sets of reals: activations, logarithm, square root, batch normalization.

No standard bounds the error of a float32 function. Granted to every implementation of f:

    |computed f(x) - f(x)| <= GRANTED u (1 + |x| + |f(x)|),   u = 2^-24,

and to Exp ``GRANTED u (1 + |x|) |f(x)|``. Measured against float64 on 400,000 arguments in [-30, 30]:
onnxruntime 1.31 at most 2.2 of these units (Swish, Mish, GeluTanh; 1.1 and less elsewhere), torch 2.13
at most 1.1. ``tests/harness/oracle/test_functions`` measures again, and demands half of what is granted.

A function that is monotone takes the ends of a set to the ends of the result; one with a single lowest
point (Swish, Mish, Gelu, HardSwish) has that value as its lower end where the set holds the point.
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

GRANTED = 8.0
"""Units of u; see above."""

SELU = (1.67326319217681884765625, 1.05070102214813232421875)
_ERF = np.vectorize(math.erf, otypes=[np.float64])
FAR = 700.0
"""exp of more leaves float64."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A function in float64; ``lowest`` is where its only lowest point is, None if it is monotone.

    ``relative``: its implementations keep small values as precise as large ones.
    """

    f: Callable[[Array], Array]
    lowest: float | None = None
    relative: bool = False


def bounded_exp(x: Array) -> Array:
    """``exp(x)`` that stays inside float64, which is far beyond float32."""
    return np.exp(np.minimum(x, FAR))


def _logistic(x: Array) -> Array:
    y: Array = 1 / (1 + bounded_exp(-x))
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
        "Erf": Shape(_ERF),
        "Exp": Shape(bounded_exp, relative=True),
        "HardSwish": Shape(lambda x: x * _hard_sigmoid(x), lowest=-1.5),
        "Mish": Shape(_mish, lowest=-1.1924313),
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
    alpha = float(given.get("alpha", 0.2 if node.op == "HardSigmoid" else 1.0))
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
    if node.op in ("Swish", "com.microsoft::QuickGelu"):
        alpha = float(given.get("alpha", 1.0 if node.op == "Swish" else 1.702))
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
    shape, x = _shape(node), inputs.reals(0)
    slack = x.roundings() * x.size()
    low, high = x.low - slack, x.high + slack
    ends = shape.f(low), shape.f(high)
    least, most = np.minimum(*ends), np.maximum(*ends)
    if shape.lowest is not None:
        inside = (low < shape.lowest) & (high > shape.lowest)
        bottom = shape.f(np.array([shape.lowest]))[0]
        least = np.where(inside, np.minimum(bottom, least), least)
    centre = shape.f(x.centre)
    size = np.maximum(np.abs(least), np.abs(most))
    error = (1 + x.size()) * size if shape.relative else 1 + x.size() + size
    error = GRANTED * UNIT * error + SMALLEST_NORMAL
    error = np.where(x.size() + size >= FLOAT32_END / 2, 2 * UNBOUNDED, error)
    return Reals(least - error, centre, most + error)


def logarithm(node: Node, inputs: Inputs) -> Reals:
    """``log(x)``; what may not be above 0 may become anything: NaN and -infinity are no codes."""
    x = inputs.reals(0)
    slack = x.roundings() * x.size()
    low, high = x.low - slack, x.high + slack
    bad = low <= 0
    least, centre, most = (np.log(np.where(bad, 1.0, each)) for each in (low, x.centre, high))
    error = GRANTED * UNIT * (1 + np.maximum(np.abs(least), np.abs(most)))
    error = np.where(bad, 2 * UNBOUNDED, error)
    return Reals(least - error, centre, most + error)


def square_root(node: Node, inputs: Inputs) -> Reals:
    """``sqrt(x)``, which IEEE 754 rounds once; what may be below 0 may become anything."""
    x = inputs.reals(0)
    slack = x.roundings() * x.size()
    low, high = x.low - slack, x.high + slack
    least, centre, most = (np.sqrt(np.maximum(each, 0.0)) for each in (low, x.centre, high))
    error = np.where(low < 0, 2 * UNBOUNDED, gamma(2) * FLOAT64_ALLOWANCE * most)
    return Reals(least - error, centre, most + error)


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


OPERATORS: Mapping[str, Callable[[Node, Inputs], Reals]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *_PLAIN,
                "Celu",
                "Elu",
                "Gelu",
                "HardSigmoid",
                "Selu",
                "Swish",
                "com.microsoft::Gelu",
                "com.microsoft::QuickGelu",
            ),
            function,
        ),
        "BatchNormalization": batch_normalization,
        "Log": logarithm,
        "Sqrt": square_root,
    }
)
