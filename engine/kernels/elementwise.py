"""Element-wise operators in float32: Relu, Clip, Add, Mul, Sigmoid; and Identity."""

from collections.abc import Callable, Mapping

import numpy as np

from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.operator import Setting, operator

Bounds = tuple[float, float]


def require_float32(node: Node, *arrays: Array) -> None:
    """Refuses any other type: these kernels are float32 only."""
    for each in arrays:
        if each.dtype != np.float32:
            raise Unsupported(
                f"{node.op} {node.id!r}: {each.dtype} data; only float32 is supported"
            )


def relu(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = max(x, 0)``."""

    def run(x: Array) -> Array:
        require_float32(node, x)
        y: Array = np.maximum(x, np.float32(0))
        return y

    return run


def clip(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = min(max(x, low), high)``; bounds are attributes below opset 11, inputs from there."""
    if setting.graph.opset < 11:
        low, high = np.array(_attribute_bounds(node), np.float32)
        return lambda x: _clip(node, x, low, high)
    if node.attributes:
        raise InvalidModel(
            f"Clip {node.id!r}: bounds are inputs from opset 11, not attributes"
        )
    return lambda x, low=None, high=None: _clip(node, x, low, high)


def _attribute_bounds(node: Node) -> Bounds:
    low, high = node.attributes.get("min", -np.inf), node.attributes.get("max", np.inf)
    if not isinstance(low, float) or not isinstance(high, float):
        raise InvalidModel(
            f"Clip {node.id!r}: bounds must be floats, got {low!r} and {high!r}"
        )
    return low, high


def _clip(node: Node, x: Array, low: Array | None, high: Array | None) -> Array:
    require_float32(node, x)
    for bound in (low, high):
        if bound is not None and np.size(bound) != 1:
            raise InvalidModel(
                f"Clip {node.id!r}: a bound must be a scalar, got {np.shape(bound)}"
            )
    y = x if low is None else np.maximum(x, np.reshape(low, ()))
    return y if high is None else np.minimum(y, np.reshape(high, ()))


def clip_bounds(node: Node, opset: int, constants: Mapping[str, Array]) -> Bounds | None:
    """The constant bounds of a Clip or Relu, infinite where absent; None where computed."""
    if node.op == "Relu":
        return 0.0, np.inf
    if opset < 11:
        return _attribute_bounds(node)
    bounds = [-np.inf, np.inf]
    for i in (0, 1):
        if name := node.input(i + 1):
            constant = constants.get(name)
            if constant is None or constant.size != 1:
                return None
            bounds[i] = float(constant.reshape(()))
    return bounds[0], bounds[1]


def add(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = fl(a + b)``, broadcast."""

    def run(a: Array, b: Array) -> Array:
        require_float32(node, a, b)
        y: Array = a + b
        return y

    return run


def multiply(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = fl(a * b)``, broadcast."""

    def run(a: Array, b: Array) -> Array:
        require_float32(node, a, b)
        y: Array = a * b
        return y

    return run


def sigmoid(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = fl(1 / (1 + exp(-x)))``, evaluated in float64 and rounded once."""

    def run(x: Array) -> Array:
        require_float32(node, x)
        return (1.0 / (1.0 + np.exp(-x.astype(np.float64)))).astype(np.float32)

    return run


def identity(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = x``, any type."""
    return lambda x: x


OPERATORS = (
    operator("Relu", relu),
    operator("Clip", clip, "min max", inputs=(1, 3)),
    operator("Add", add, inputs=2),
    operator("Mul", multiply, inputs=2),
    operator("Sigmoid", sigmoid),
    operator("Identity", identity),
)
