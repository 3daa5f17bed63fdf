"""Operators that give or take booleans: comparisons, logic, Where, IsNaN, IsInf."""

from collections.abc import Callable

import numpy as np

from engine.errors import InvalidModel
from engine.ir import Array, Node
from engine.kernels.elementwise import require_float
from engine.kernels.operator import Operator, Setting, operator


def comparison(
    name: str, function: Callable[[Array, Array], Array], since: int = 1
) -> Operator:
    """``y = a ? b`` on two tensors of one type; comparisons with NaN are false."""

    def build(node: Node, setting: Setting) -> Callable[[Array, Array], Array]:
        def run(a: Array, b: Array) -> Array:
            _require_same(node, a, b)
            return np.asarray(function(a, b))

        return run

    return operator(name, build, inputs=2, since=since)


def logical(name: str, function: Callable[..., Array], inputs: int) -> Operator:
    """A function of booleans."""

    def build(node: Node, setting: Setting) -> Callable[..., Array]:
        def run(*tensors: Array) -> Array:
            for each in tensors:
                _require_boolean(node, each)
            return np.asarray(function(*tensors))

        return run

    return operator(name, build, inputs=inputs)


def where(node: Node, setting: Setting) -> Callable[[Array, Array, Array], Array]:
    """``z = x if condition else y``, any type, all three broadcast."""

    def run(condition: Array, x: Array, y: Array) -> Array:
        _require_boolean(node, condition)
        _require_same(node, x, y)
        return np.where(condition, x, y)

    return run


def is_nan(node: Node, setting: Setting) -> Callable[[Array], Array]:
    """``y = x is NaN``."""

    def run(x: Array) -> Array:
        require_float(node, x)
        return np.asarray(np.isnan(x))

    return run


def is_infinite(node: Node, setting: Setting) -> Callable[[Array], Array]:
    """``y = x is infinite``, of the signs that ``detect_positive`` and ``detect_negative`` ask for."""
    up, down = (
        bool(node.attributes.get(name, 1)) for name in ("detect_positive", "detect_negative")
    )

    def run(x: Array) -> Array:
        require_float(node, x)
        wanted = (up & (x > 0)) | (down & (x < 0))
        return np.asarray(np.isinf(x) & wanted)

    return run


def _require_same(node: Node, a: Array, b: Array) -> None:
    if a.dtype != b.dtype:
        raise InvalidModel(
            f"{node.op} {node.id!r}: inputs of types {a.dtype} and {b.dtype}; cast one"
        )


def _require_boolean(node: Node, x: Array) -> None:
    if x.dtype != np.bool_:
        raise InvalidModel(f"{node.op} {node.id!r}: {x.dtype} data where it takes booleans")


OPERATORS = (
    comparison("Equal", np.equal),
    comparison("Less", np.less),
    comparison("Greater", np.greater),
    comparison("LessOrEqual", np.less_equal, since=12),
    comparison("GreaterOrEqual", np.greater_equal, since=12),
    logical("And", np.logical_and, 2),
    logical("Or", np.logical_or, 2),
    logical("Xor", np.logical_xor, 2),
    logical("Not", np.logical_not, 1),
    operator("Where", where, inputs=3, since=9),
    operator("IsNaN", is_nan, since=9),
    operator("IsInf", is_infinite, "detect_negative detect_positive", since=10),
)
