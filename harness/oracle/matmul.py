"""Matrix products on sets of values: float, fused, and of codes. Errors: module ``bounds``.

Source: ONNX MatMul-13, Gemm-13, QLinearMatMul-21, MatMulInteger-10; onnxruntime's com.microsoft
MatMulIntegerToFloat, QGemm, MatMulNBits.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import (
    EXACT_STEPS,
    FLOAT64_ALLOWANCE,
    UNIT,
    fits_float32,
    gamma,
    is_power_of_two,
    leaves_float32,
    round_to_codes,
)
from harness.oracle.elementwise import move_reals
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.integer import int32_codes
from harness.oracle.quantize import check_scale
from harness.oracle.terms import INT32_END, Terms, add_bias, largest, products, scaled, settle
from harness.oracle.values import CODE_TYPES, UNBOUNDED, Codes, Number, Reals, Silent

MULTIPLIER_ROUNDINGS = 2
"""What alpha or beta add to a Gemm: one product each."""
REAL_ROUNDINGS = 6
"""Of a product of two dequantized elements, each with its own product, and of their scales."""


def matmul(node: Node, inputs: Inputs) -> Reals:
    """``a b`` over the last two axes: as integers times scales, or in float32 in any order."""
    a, b = inputs.reals(0), inputs.reals(1)
    terms = _terms(a, b)
    return settle(terms, _depth(a), _quantum(a, b))


def gemm(node: Node, inputs: Inputs) -> Reals:
    """``alpha a' b' + beta c``; with alpha 1 a kernel may add c as an integer."""
    a, b = inputs.reals(0), inputs.reals(1)
    if node.attributes.get("transA", 0):
        a = move_reals(a, np.transpose)
    if node.attributes.get("transB", 0):
        b = move_reals(b, np.transpose)
    alpha, beta = (float(node.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    terms, quantum = scaled(_terms(a, b), alpha), _quantum(a, b)
    if quantum is not None:
        quantum = quantum * abs(alpha)
    if inputs.has(2):
        c = inputs.reals(2)
        terms = add_bias(terms, _factor(c, beta), quantum)
        if (alpha, beta) != (1.0, 1.0):
            terms = _with_rounded_bias(terms, c, beta, _quantum(a, b))
    return settle(terms, _depth(a) + MULTIPLIER_ROUNDINGS, quantum)


def _with_rounded_bias(terms: Terms, c: Reals, beta: float, unit: Array | None) -> Terms:
    """A kernel may quantize a float c to integers of a's and b's scales before alpha and beta."""
    if unit is None or c.quantum is not None:
        return terms
    away = np.abs(c.centre - np.rint(c.centre / unit) * unit) * abs(beta)
    return replace(terms, fused=terms.fused + away, unit=np.zeros(()))


def _factor(c: Reals, beta: float) -> Reals:
    if beta == 1:
        return c
    low, high = (c.low, c.high) if beta > 0 else (c.high, c.low)
    centre = c.centre * beta
    ends = (centre, centre) if c.is_point else (low * beta, high * beta)
    return Reals(ends[0], centre, ends[1], c.relative + UNIT)


def _terms(a: Reals, b: Reals) -> Terms:
    unit = np.asarray(float(np.min(a.grid)) * float(np.min(b.grid)))
    return products(a, b, np.matmul, unit)


def _depth(a: Reals) -> int:
    return a.centre.shape[-1] if a.centre.ndim else 1


def _quantum(a: Reals, b: Reals) -> Array | None:
    """Real size of one accumulator unit; None unless both are integers times a scale."""
    if a.quantum is None or b.quantum is None:
        return None
    columns = np.asarray(b.quantum)
    if b.centre.ndim == 1:
        columns = columns.max()
    elif columns.ndim > 1:  # a vector's product has no rows
        columns = columns.max(axis=-2, keepdims=a.centre.ndim > 1)
    return columns * float(np.max(a.quantum))


def qlinear_matmul(node: Node, inputs: Inputs) -> Codes:
    """``sat(rne(acc as bs / ys) + yz)``, acc exact."""
    a, b = inputs.codes(0), inputs.codes(3)
    numbers = [inputs.array(i) for i in (1, 2, 4, 5, 6, 7)]
    return _requantized(node, a, b, numbers, None, 1.0)


def qgemm(node: Node, inputs: Inputs) -> Codes | Reals:
    """``sat(rne(alpha as bs / ys (acc + c)) + yz)``; real without y's parameters."""
    a, b = inputs.codes(0), inputs.codes(3)
    if node.attributes.get("transA", 0):
        a = _transposed(a)
    if node.attributes.get("transB", 0):
        b = _transposed(b)
    alpha = float(node.attributes.get("alpha", 1.0))
    c = inputs.codes(6).centre if inputs.has(6) else None
    scale_a, zero_a, scale_b, zero_b = (inputs.array(i) for i in (1, 2, 4, 5))
    if inputs.has(7):
        numbers = [scale_a, zero_a, scale_b, zero_b, inputs.array(7), inputs.array(8)]
        return _requantized(node, a, b, numbers, c, alpha)
    return _real(node, a, b, (scale_a, zero_a, scale_b, zero_b), c, alpha)


def _transposed(x: Codes) -> Codes:
    centre = x.centre.T
    if x.is_point:
        return Codes(x.dtype, centre, centre, centre, centre)
    return Codes(x.dtype, x.low.T, centre, x.high.T, x.other.T)


def matmul_integer(node: Node, inputs: Inputs) -> Codes:
    """``acc``, int32; outside int32 anything goes."""
    zeros = [inputs.optional(2), inputs.optional(3)]
    low, acc, high, size = sums_of_codes(inputs.codes(0), inputs.codes(1), zeros[0], zeros[1])
    return int32_codes(low, acc, high, size)


def matmul_integer_to_float(node: Node, inputs: Inputs) -> Reals:
    """``fl(acc as bs) + bias``, or the same of reals: its schema says no more than "A * B"."""
    a, b = inputs.codes(0), inputs.codes(1)
    zeros = [inputs.optional(i) for i in (4, 5)]
    parameters = (inputs.array(2), zeros[0], inputs.array(3), zeros[1])
    y = _real(node, a, b, parameters, None, 1.0)
    if y.quantum is not None:
        error = error_of_reals(a, b, zeros, np.asarray(y.quantum))
        y = replace(y, low=y.low - error, high=y.high + error)
    if not inputs.has(6):
        return y
    return plus_bias(y, inputs.reals(6))


def error_of_reals(a: Codes, b: Codes, zeros: list[Array | None], step: Array) -> Array:
    """What a float32 sum of products of dequantized elements may be off, in any order."""
    za, zb = _zero(zeros[0], rows=True), _zero(zeros[1], rows=False)
    size = np.matmul(_farthest(a, za), _farthest(b, zb))
    error = size * step * gamma(a.low.shape[-1] + REAL_ROUNDINGS) * FLOAT64_ALLOWANCE
    exact = is_power_of_two(step) & (size <= EXACT_STEPS)
    return np.where(exact, 0.0, error)


def plus_bias(y: Reals, bias: Reals) -> Reals:
    """One more float32 sum, behind the product."""
    error = (largest(y.low, y.centre, y.high) + bias.size()) * (gamma(1) * FLOAT64_ALLOWANCE)
    low, high = y.low + bias.low - error, y.high + bias.high + error
    return Reals(low, y.centre + bias.centre, high, quantum=y.quantum)


def _real(
    node: Node,
    a: Codes,
    b: Codes,
    parameters: tuple[Array, Array | None, Array, Array | None],
    c: Array | None,
    alpha: float,
) -> Reals:
    scale_a, zero_a, scale_b, zero_b = parameters
    low, acc, high, size = sums_of_codes(a, b, zero_a, zero_b)
    if c is not None:
        low, acc, high, size = low + c, acc + c, high + c, size + np.abs(c)
    product = scale_product(node, scale_a, scale_b) * alpha
    error = size * np.abs(product) * (gamma(10) * FLOAT64_ALLOWANCE)
    error = np.where(size >= INT32_END, UNBOUNDED, error)
    ends = np.minimum(low * product, high * product), np.maximum(low * product, high * product)
    quantum = np.broadcast_to(np.abs(product), acc.shape)
    return Reals(ends[0] - error, acc * product, ends[1] + error, quantum=quantum)


def _requantized(
    node: Node, a: Codes, b: Codes, numbers: list[Array], c: Array | None, alpha: float
) -> Codes:
    scale_a, zero_a, scale_b, zero_b, scale_y, zero_y = numbers
    if scale_y.size != 1 or zero_y.size != 1 or zero_y.dtype not in CODE_TYPES:
        raise Silent(
            "parameters of y for each row, or of another type, are not judged", node.where
        )
    low, dot, high, size = sums_of_codes(a, b, zero_a, zero_b)
    if c is not None:
        low, dot, high, size = low + c, dot + c, high + c, size + np.abs(c)
    product = scale_product(node, scale_a, scale_b) * alpha
    multiplier = product / check_scale(float(scale_y.item()), node)
    zero = float(zero_y.item())
    t = dot * multiplier
    ends = (t, t) if low is dot else (low * multiplier, high * multiplier)
    if alpha < 0 and low is not dot:
        ends = ends[::-1]
    reach = largest(ends[0], t, ends[1]) + abs(zero)
    error = size * (gamma(11) * (1 + UNIT) * FLOAT64_ALLOWANCE * np.abs(multiplier))
    error += reach * (UNIT * FLOAT64_ALLOWANCE)
    error = np.where(size >= INT32_END, UNBOUNDED, error)
    exact = None
    parts = (scale_a, scale_b, scale_y, np.asarray(abs(alpha)))
    if low is dot and all(np.all(is_power_of_two(each.astype(np.float64))) for each in parts):
        exact = (size <= EXACT_STEPS) & fits_float32(t + zero)
    if leaves_float32(np.abs(np.asarray(product))) or leaves_float32(
        np.abs(np.asarray(multiplier))
    ):
        error, exact = np.full_like(t, UNBOUNDED), None
    return round_to_codes((ends[0], t, ends[1]), error, zero, zero_y.dtype, exact)


def scale_product(node: Node, scale_a: Array, scale_b: Array) -> Array:
    """``scale_a scale_b``: a's of each row, b's of each column."""
    rows, columns = (_number(each, node) for each in (scale_a, scale_b))
    a = np.asarray(rows).reshape(-1, 1) if np.size(rows) > 1 else np.asarray(rows)
    product: Array = a * np.asarray(columns)
    return product


def _number(scale: Array, node: Node) -> Number:
    if scale.size == 1:
        return check_scale(float(scale.item()), node)
    if scale.ndim != 1:
        raise Silent(f"scales of shape {scale.shape} are not judged", node.where)
    return check_scale(scale.astype(np.float64), node)


def sums_of_codes(
    a: Codes, b: Codes, zero_a: Array | None, zero_b: Array | None
) -> tuple[Array, Array, Array, Array]:
    """Low, centre and high of ``sum (qa - az)(qb - bz)``, exact, and the largest magnitude."""
    if not b.is_point and not a.is_point:
        return _wide_sums(a, b, zero_a, zero_b)
    za, zb = _zero(zero_a, rows=True), _zero(zero_b, rows=False)
    dot = np.asarray(np.matmul(a.centre - za, b.centre - zb))
    if a.is_point and b.is_point:
        return dot, dot, dot, np.abs(dot)
    return _wide_sums(a, b, zero_a, zero_b)


def _wide_sums(
    a: Codes, b: Codes, zero_a: Array | None, zero_b: Array | None
) -> tuple[Array, Array, Array, Array]:
    za, zb = _zero(zero_a, rows=True), _zero(zero_b, rows=False)
    middle = np.matmul((a.low + a.high) / 2 - za, (b.low + b.high) / 2 - zb)
    most = np.matmul(_farthest(a, za), _farthest(b, zb))
    inner = np.matmul(np.abs((a.low + a.high) / 2 - za), np.abs((b.low + b.high) / 2 - zb))
    low, high = middle - (most - inner), middle + (most - inner)
    centre = np.matmul(a.centre - za, b.centre - zb)
    return low, centre, high, largest(low, centre, high)


def _farthest(x: Codes, zero: Array) -> Array:
    farthest: Array = np.maximum(np.abs(x.low - zero), np.abs(x.high - zero))
    return farthest


def _zero(zero: Array | None, *, rows: bool) -> Array:
    if zero is None or zero.size == 1:
        return np.asarray(0.0 if zero is None else float(zero.item()))
    wide = zero.astype(np.float64)
    return wide.reshape(-1, 1) if rows and wide.ndim == 1 else wide


OPERATORS: Mapping[str, Callable[[Node, Inputs], Codes | Reals]] = MappingProxyType(
    {
        "Gemm": gemm,
        "MatMul": matmul,
        "MatMulInteger": matmul_integer,
        "QLinearMatMul": qlinear_matmul,
        "com.microsoft::MatMulIntegerToFloat": matmul_integer_to_float,
        "com.microsoft::QGemm": qgemm,
    }
)
