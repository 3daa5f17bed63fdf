"""Operators on several numeric tensors: arithmetic, extremes, powers, bits; broadcast as numpy does.

Floats are rounded once an operation, in their own type; integers wrap, and their quotient is
truncated towards zero.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Graph, Node
from engine.kernels.elementwise import is_float, require_float, require_number
from engine.kernels.operator import MANY, Kernel, Operator, Setting, operator

Pairwise = Callable[[Array, Array], Array]
Combined = Callable[[tuple[Array, ...]], Array]


@dataclass(frozen=True, slots=True)
class BinaryParameters:
    """One operator on several tensors, and the graph that it is in."""

    node: Node
    graph: Graph


def divide(a: Array, b: Array) -> Array:
    """``fl(a / b)``; integers: the quotient truncated towards zero, 0 where b is 0."""
    if is_float(a.dtype):
        y: Array = a / b
        return y
    whole = a // b
    if a.dtype.kind == "i":
        whole += ((whole < 0) & (whole * b != a)).astype(a.dtype)
    return np.where(b == 0, a.dtype.type(0), whole)


def average(tensors: tuple[Array, ...]) -> Array:
    """``fl(sum / n)``, the sum from left to right."""
    total: Array = reduce(np.add, tensors)
    return np.asarray(total / total.dtype.type(len(tensors)))


def pairwise(name: str, function: Pairwise) -> Operator:
    """An operator on two tensors of one numeric type."""
    return operator(
        name, _combining(lambda tensors: function(*tensors), floats_only=False), inputs=2
    )


def variadic(name: str, function: Combined, floats_only: bool = False) -> Operator:
    """An operator on any number of tensors of one numeric type."""
    return operator(name, _combining(function, floats_only), inputs=(1, MANY))


def _combining(function: Combined, floats_only: bool) -> Callable[[Node, Setting], Kernel]:
    def build(node: Node, setting: Setting) -> Kernel:
        p = BinaryParameters(node, setting.graph)
        combine = setting.stage("binary.function", function_as_named)(p, function)

        def run(*tensors: Array) -> Array:
            require_number(node, *tensors)
            if floats_only:
                require_float(node, tensors[0])
            return np.asarray(combine(tensors))

        return Kernel(run, parameters=p)

    return build


def function_as_named(p: BinaryParameters, function: Combined) -> Combined:
    """The operator's own function."""
    return function


def power(node: Node, setting: Setting) -> Pairwise:
    """``y = a ** b`` in the type of a: floats by way of float64, integers exactly (they wrap)."""

    def run(a: Array, b: Array) -> Array:
        require_number(node, a)
        require_number(node, b)
        whole = not is_float(a.dtype) and not is_float(b.dtype)
        if whole and not (b < 0).any():
            return np.asarray(np.power(a, b)).astype(a.dtype)
        y = np.power(a.astype(np.float64), b.astype(np.float64))
        return np.asarray(y).astype(a.dtype)

    return run


def remainder(node: Node, setting: Setting) -> Pairwise:
    """The remainder with the sign of b, or with ``fmod`` = 1 with that of a; floats need fmod."""
    fmod = node.attributes.get("fmod", 0)
    if fmod not in (0, 1):
        raise InvalidModel(f"Mod {node.id!r}: fmod is {fmod!r}; it must be 0 or 1")

    def run(a: Array, b: Array) -> Array:
        require_number(node, a, b)
        if is_float(a.dtype) and not fmod and setting.graph.opset < 28:
            raise InvalidModel(f"Mod {node.id!r}: {a.dtype} data needs fmod = 1")
        return np.asarray(np.fmod(a, b) if fmod else np.mod(a, b))

    return run


def shift(node: Node, setting: Setting) -> Pairwise:
    """``a * 2**b`` or ``floor(a / 2**b)``, by ``direction``."""
    direction = node.attributes.get("direction")
    if direction not in ("LEFT", "RIGHT"):
        raise InvalidModel(
            f"BitShift {node.id!r}: direction is {direction!r}; it must be LEFT or RIGHT"
        )

    def run(a: Array, b: Array) -> Array:
        _require_integers(node, a, b)
        return np.asarray(np.left_shift(a, b) if direction == "LEFT" else np.right_shift(a, b))

    return run


def bits(name: str, function: Callable[..., Array], inputs: int) -> Operator:
    """An operator on the bits of integers."""

    def build(node: Node, setting: Setting) -> Callable[..., Array]:
        def run(*tensors: Array) -> Array:
            _require_integers(node, *tensors)
            return np.asarray(function(*tensors))

        return run

    return operator(name, build, inputs=inputs, since=18)


def _require_integers(node: Node, *tensors: Array) -> None:
    require_number(node, *tensors)
    if is_float(tensors[0].dtype):
        raise Unsupported(f"{node.op} {node.id!r}: {tensors[0].dtype} data; it takes integers")


OPERATORS = (
    pairwise("Add", np.add),
    pairwise("Sub", np.subtract),
    pairwise("Mul", np.multiply),
    pairwise("Div", divide),
    operator("Pow", power, inputs=2),
    operator("Mod", remainder, "fmod", inputs=2, since=10),
    variadic("Max", lambda tensors: reduce(np.maximum, tensors)),
    variadic("Min", lambda tensors: reduce(np.minimum, tensors)),
    variadic("Sum", lambda tensors: reduce(np.add, tensors), floats_only=True),
    variadic("Mean", average, floats_only=True),
    operator("BitShift", shift, "direction", inputs=2, since=11),
    bits("BitwiseAnd", np.bitwise_and, 2),
    bits("BitwiseOr", np.bitwise_or, 2),
    bits("BitwiseXor", np.bitwise_xor, 2),
    bits("BitwiseNot", np.invert, 1),
)
