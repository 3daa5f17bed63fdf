"""Activations: functions of one tensor with parameters, evaluated in float64 and rounded once.

The parameters are attributes, hence float32 numbers, except the slope of PRelu, which is a tensor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Node
from engine.kernels.elementwise import (
    Function,
    number,
    require_number,
)
from engine.kernels.error_function import error_function
from engine.kernels.formulas import formula, of_floats
from engine.kernels.operator import CONTRIB, Kernel, Operator, Setting, operator


def logistic(x: Array) -> Array:
    """``1 / (1 + exp(-x))``."""
    y: Array = np.asarray(np.negative(x))  # a scalar is no array to numpy
    np.exp(y, out=y)
    y += 1.0
    return np.divide(1.0, y, out=y)


def soft_plus(x: Array) -> Array:
    """``log(1 + exp(x))``, without overflow."""
    return np.logaddexp(0.0, x)


def soft_sign(x: Array) -> Array:
    """``x / (1 + |x|)``."""
    y: Array = x / (1.0 + np.abs(x))
    return y


def mish(x: Array) -> Array:
    """``x * tanh(softplus(x))``."""
    y: Array = x * np.tanh(soft_plus(x))
    return y


def leaky_relu(x: Array, alpha: float) -> Array:
    """``x`` where x >= 0, else ``alpha * x``."""
    return np.where(x >= 0, x, alpha * x)


def elu(x: Array, alpha: float) -> Array:
    """``x`` where x > 0, else ``alpha * (exp(x) - 1)``."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def celu(x: Array, alpha: float) -> Array:
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``."""
    y: Array = np.maximum(x, 0.0) + np.minimum(alpha * np.expm1(x / alpha), 0.0)
    return y


def selu(x: Array, alpha: float, gamma: float) -> Array:
    """``gamma * elu(x, alpha)``."""
    y: Array = gamma * elu(x, alpha)
    return y


def thresholded_relu(x: Array, alpha: float) -> Array:
    """``x`` where x > alpha, else 0."""
    return np.where(x > alpha, x, 0.0)


def hard_sigmoid(x: Array, alpha: float, beta: float) -> Array:
    """``max(0, min(1, alpha * x + beta))``."""
    return np.clip(alpha * x + beta, 0.0, 1.0)


def hard_swish(x: Array) -> Array:
    """``x * max(0, min(1, x/6 + 1/2))``."""
    y: Array = x * np.clip(x / 6.0 + 0.5, 0.0, 1.0)
    return y


def swish(x: Array, alpha: float) -> Array:
    """``x / (1 + exp(-alpha * x))``."""
    y: Array = x * logistic(alpha * x)
    return y


def shrink(x: Array, bias: float, lambd: float) -> Array:
    """``x + bias`` below -lambd, ``x - bias`` above lambd, else 0."""
    return np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0.0))


def gelu_exactly(x: Array) -> Array:
    """``x/2 * (1 + erf(x / sqrt(2)))``."""
    y: Array = 0.5 * x * (1.0 + error_function(x / np.sqrt(2.0)))
    return y


def gelu_by_tanh(x: Array) -> Array:
    """``x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x**3)))``."""
    y: Array = 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))
    return y


@dataclass(frozen=True, slots=True)
class GeluParameters:
    """One Gelu: whether it is the formula with tanh."""

    by_tanh: bool


def gelu(node: Node, setting: Setting) -> Kernel:
    """Gelu, by erf or, where ``approximate`` says so, by tanh."""
    approximate = node.attributes.get("approximate", "none")
    if approximate not in ("none", "tanh"):
        raise InvalidModel(
            f"Gelu {node.id!r}: approximate is {approximate!r}; it must be none or tanh"
        )
    p = GeluParameters(approximate == "tanh")
    by_tanh = setting.stage("gelu.by_tanh", gelu_by_tanh)
    return Kernel(of_floats(node, setting, by_tanh if p.by_tanh else gelu_exactly), "", p)


@dataclass(frozen=True, slots=True)
class PReluParameters:
    """One PRelu: the shape of its slope, None where it is computed."""

    slope: tuple[int, ...] | None


def slope_as_given(slope: Array, shape: tuple[int, ...]) -> Array:
    """The slope, which broadcasts to the shape of x."""
    return slope


def prelu(node: Node, setting: Setting) -> Kernel:
    """``y = fl(slope * x)`` where x < 0, else ``x``; ``slope`` broadcasts to the shape of x."""
    constant = setting.constant(node.inputs[1])
    laid = setting.stage("prelu.slope", slope_as_given)

    def run(x: Array, slope: Array) -> Array:
        require_number(node, x, slope)
        if np.broadcast_shapes(x.shape, slope.shape) != x.shape:
            raise EngineError(
                f"PRelu {node.id!r}: slope {slope.shape} does not broadcast to {x.shape}"
            )
        y = x * laid(slope, x.shape)
        np.copyto(y, x, where=x >= 0)
        return y

    return Kernel(run, "", PReluParameters(None if constant is None else constant.shape))


def parametric(
    name: str,
    function: Callable[..., Array],
    since: int = 1,
    domains: tuple[str, ...] = ("",),
    **defaults: float,
) -> Operator:
    """An operator whose attributes are the parameters of its formula."""

    def build(node: Node, setting: Setting) -> Function:
        given = {each: number(node, each, default) for each, default in defaults.items()}
        return of_floats(node, setting, partial(function, **given))

    return operator(name, build, " ".join(defaults), since=since, domains=domains)


OPERATORS = (
    operator("Gelu", gelu, "approximate", since=20, domains=("", *CONTRIB)),
    operator("PRelu", prelu, inputs=2),
    formula("Sigmoid", logistic),
    formula("Tanh", np.tanh),
    formula("Softplus", soft_plus),
    formula("Softsign", soft_sign),
    formula("Mish", mish, since=18),
    formula("HardSwish", hard_swish, since=14),
    parametric("LeakyRelu", leaky_relu, alpha=0.01),
    parametric("ThresholdedRelu", thresholded_relu, since=10, alpha=1.0),
    parametric("Elu", elu, alpha=1.0),
    parametric("Celu", celu, since=12, alpha=1.0),
    parametric("Selu", selu, alpha=1.6732632423543772, gamma=1.0507009873554805),
    parametric("HardSigmoid", hard_sigmoid, alpha=0.2, beta=0.5),
    parametric("Swish", swish, since=24, alpha=1.0),
    parametric("QuickGelu", swish, domains=CONTRIB, alpha=1.702),
    parametric("Shrink", shrink, since=9, bias=0.0, lambd=0.5),
)
