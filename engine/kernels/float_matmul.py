"""MatMul and Gemm in floating point (or wide integers): what a graph runs where nothing is fused."""

from collections.abc import Callable

import numpy as np

from engine.errors import EngineError, Unsupported
from engine.ir import Array, Node
from engine.kernels.number_types import BFLOAT16, round_to
from engine.kernels.operator import Setting, operator

Multiply = Callable[[Array, Array], Array]

_KINDS = "fiu"
_HALVES = (np.dtype(np.float16), BFLOAT16)
"""Types whose products and sums are made in float32 and rounded once."""


def matmul(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = a b`` over the last two axes, the others broadcast; a vector is a row or a column.

    Source:
        ONNX MatMul-13.
    """
    multiply = setting.stage("real_matmul.multiply", products)(node, setting)

    def run(a: Array, b: Array) -> Array:
        require_alike(node, a, b)
        if 0 in (a.ndim, b.ndim):
            raise EngineError(f"{node.op} {node.id!r}: a scalar has no rows to multiply")
        return narrowed(np.asarray(multiply(widened(a), widened(b))), a)

    return run


def gemm(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = alpha a' b' + beta c``, a' and b' transposed where the attributes say so.

    Source:
        ONNX Gemm-13.
    """
    multiply = setting.stage("real_matmul.multiply", products)(node, setting)
    alpha, beta = (float_attribute(node, name, 1.0) for name in ("alpha", "beta"))
    turn_a, turn_b = (
        bool(node.attributes.get("transA", 0)),
        bool(node.attributes.get("transB", 0)),
    )

    def run(a: Array, b: Array, c: Array | None = None) -> Array:
        require_alike(node, a, b, *(() if c is None else (c,)))
        given, a, b = a, widened(a), widened(b)
        if (a.ndim, b.ndim) != (2, 2):
            raise EngineError(
                f"Gemm {node.id!r}: shapes {a.shape} and {b.shape}; it takes matrices"
            )
        y = multiply(a.T if turn_a else a, b.T if turn_b else b)
        if alpha != 1:
            y = _scaled(y, alpha)
        if c is None:
            return narrowed(y, given)
        if np.broadcast_shapes(y.shape, c.shape) != y.shape:
            raise EngineError(f"Gemm {node.id!r}: C {c.shape} does not broadcast to {y.shape}")
        wide = widened(c)
        return narrowed(y + (wide if beta == 1 else _scaled(wide, beta)), given)

    return run


def products(node: Node, setting: Setting) -> Multiply:
    """``sum_k a[.., m, k] b[.., k, n]``."""
    return np.matmul


def widened(x: Array) -> Array:
    """float32 of shorter floats, anything else as it is."""
    return x.astype(np.float32) if x.dtype in _HALVES else x


def narrowed(y: Array, like: Array) -> Array:
    """Rounded to the type of an operand that was widened."""
    return y if y.dtype == like.dtype else round_to(y, like.dtype)


def _scaled(x: Array, factor: float) -> Array:
    """``fl(factor * x)`` in the type of x."""
    scaled: Array = x * np.asarray(factor, x.dtype if x.dtype.kind == "f" else np.float64)
    return scaled.astype(x.dtype)


def float_attribute(node: Node, name: str, default: float) -> float:
    """An attribute that is one number."""
    given = node.attributes.get(name, default)
    return float(given) if isinstance(given, int | float) else default


def require_alike(node: Node, *arrays: Array) -> None:
    """Refuses codes, and operands of different types."""
    dtype = arrays[0].dtype
    if (
        dtype != BFLOAT16
        and (dtype.kind not in _KINDS or dtype.itemsize < 4)
        and (dtype != np.float16)
    ):
        raise Unsupported(
            f"{node.op} {node.id!r}: {dtype} data; it takes floats or wide integers"
        )
    for each in arrays:
        if each.dtype != dtype:
            raise EngineError(f"{node.op} {node.id!r}: {dtype} and {each.dtype} operands")


OPERATORS = (
    operator("MatMul", matmul, inputs=2),
    operator("Gemm", gemm, "alpha beta transA transB", inputs=(2, 3)),
)
