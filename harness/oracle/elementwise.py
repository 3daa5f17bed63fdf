"""Relu, Clip, Add, Mul, Sigmoid and the operators that only move values."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import EXACT_STEPS, FLOAT64_ALLOWANCE, SMALLEST_NORMAL, UNIT, gamma
from harness.oracle.values import (
    FLOAT32_END,
    UNBOUNDED,
    Codes,
    Number,
    Reals,
    Value,
    may_be_no_number,
)

# No standard bounds the error of a float32 sigmoid. Granted: 8 u, absolute. Measured on 800,000
# arguments: onnxruntime 1.31 (a rational approximation) 2.8 u, torch 2.13 and OpenCV 5 1.5 u.
SIGMOID_ERROR = 8 * UNIT


def clip(x: Value, least: float, most: float) -> Value:
    """``min(max(x, least), most)`` on both ends; Relu is ``clip(x, 0, inf)``. ONNX Clip-6..13.

    A fused kernel clips codes to ``rne(bound / scale) + zero`` instead. Rounding is monotone, so its
    answer lies between the roundings of the clipped ends, whose own errors QuantizeLinear grants.
    The standard does not say what becomes of NaN: what may be anything stays so.
    """

    def clipped(values: Array) -> Array:
        return np.minimum(np.maximum(values, least), most)

    changed = _mapped(x, clipped)
    if isinstance(changed, Codes) or isinstance(x, Codes):
        return changed
    if changed.other is not None:
        changed = replace(changed, other=clipped(changed.other))
    is_open = may_be_no_number(x.low, x.high)
    if not is_open.any():
        return changed
    low = np.where(is_open, x.low, changed.low)
    return replace(changed, low=low, high=np.where(is_open, x.high, changed.high))


def add(a: Reals, b: Reals) -> Reals:
    """``a + b`` in one rounding, or with each zero point multiplied out. ONNX Add-7..14."""
    size = _expanded_size(a) + _expanded_size(b)
    carried = a.roundings() * a.size() + b.roundings() * b.size()
    error = FLOAT64_ALLOWANCE * (carried + gamma(7) * size)
    grid = np.minimum(a.grid, b.grid)
    quantum = (
        None if a.quantum is None or b.quantum is None else np.maximum(a.quantum, b.quantum)
    )
    summed = _combine(a.low + b.low, a.centre + b.centre, a.high + b.high, error, grid, size)
    return replace(summed, quantum=quantum, expanded=True)


def multiply(a: Reals, b: Reals) -> Reals:
    """``a * b`` in at most two roundings. ONNX Mul-7..14."""
    corners = (a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high)
    low = np.minimum(np.minimum(corners[0], corners[1]), np.minimum(corners[2], corners[3]))
    high = np.maximum(np.maximum(corners[0], corners[1]), np.maximum(corners[2], corners[3]))
    size = a.size() * b.size()
    carried = (a.roundings() + b.roundings()) * (1 + UNIT) * size
    error = FLOAT64_ALLOWANCE * (carried + gamma(2) * size)
    quantum = (
        None if a.quantum is None or b.quantum is None else np.multiply(a.quantum, b.quantum)
    )
    grid = np.multiply(a.grid, b.grid)
    return replace(
        _combine(low, a.centre * b.centre, high, error, grid, size), quantum=quantum
    )


def sigmoid(x: Reals) -> Reals:
    """``1 / (1 + exp(-x))`` on both ends, with ``SIGMOID_ERROR`` to spare. ONNX Sigmoid-6, 13."""

    def exact(values: Array) -> Array:
        return 1 / (1 + np.exp(-np.maximum(np.minimum(values, 700.0), -700.0)))

    slack = x.roundings() * x.size()
    low, high = exact(x.low - slack) - SIGMOID_ERROR, exact(x.high + slack) + SIGMOID_ERROR
    return Reals(np.maximum(low, 0.0), exact(x.centre), np.minimum(high, 1.0), quantum=UNIT)


def move(x: Value, change: Callable[[Array], Array]) -> Value:
    """The same values in other places: Reshape, Transpose, Flatten, Identity."""
    return move_reals(x, change) if isinstance(x, Reals) else _mapped(x, change)


def move_reals(x: Reals, change: Callable[[Array], Array]) -> Reals:
    """The same reals in other places, with all that is known about them."""
    moved = _mapped_reals(x, change)
    shape = x.centre.shape

    def spread(parameter: Number) -> Number:
        if isinstance(parameter, float) or np.ndim(parameter) == 0:
            return parameter
        return change(np.broadcast_to(parameter, shape))

    return replace(
        moved,
        grid=spread(moved.grid),
        quantum=None if moved.quantum is None else spread(moved.quantum),
        origin=None,
        other=None if moved.other is None else change(moved.other),
    )


def concatenate(parts: Sequence[Value], axis: int) -> Value:
    """All parts along an axis. ONNX Concat-4..13. Parts are all integers or all floats."""
    if all(isinstance(each, Codes) for each in parts):
        return _joined_codes([each for each in parts if isinstance(each, Codes)], axis)
    reals = [each for each in parts if isinstance(each, Reals)]
    low, centre, high = _joined(reals, axis)
    grid = np.concatenate([np.broadcast_to(e.grid, e.centre.shape) for e in reals], axis)
    relative = max(each.relative for each in reals)
    quantum = None
    if all(each.quantum is not None for each in reals):
        quantum = np.concatenate(
            [np.broadcast_to(np.asarray(e.quantum), e.centre.shape) for e in reals], axis
        )
    return Reals(low, centre, high, relative, grid, quantum)


def _joined_codes(parts: Sequence[Codes], axis: int) -> Codes:
    low, centre, high = _joined(parts, axis)
    other = np.concatenate([each.other for each in parts], axis)
    return Codes(parts[0].dtype, low, centre, high, other)


def _joined(parts: Sequence[Codes] | Sequence[Reals], axis: int) -> tuple[Array, Array, Array]:
    centre = np.concatenate([each.centre for each in parts], axis)
    if all(each.is_point for each in parts):
        return centre, centre, centre
    low = np.concatenate([each.low for each in parts], axis)
    return low, centre, np.concatenate([each.high for each in parts], axis)


def _mapped(x: Value, change: Callable[[Array], Array]) -> Value:
    if isinstance(x, Reals):
        return _mapped_reals(x, change)
    centre = change(x.centre)
    low, high = (centre, centre) if x.is_point else (change(x.low), change(x.high))
    other = centre if x.other is x.centre else change(x.other)
    return Codes(x.dtype, low, centre, high, other)


def _mapped_reals(x: Reals, change: Callable[[Array], Array]) -> Reals:
    centre = change(x.centre)
    low, high = (centre, centre) if x.is_point else (change(x.low), change(x.high))
    return replace(x, low=low, centre=centre, high=high, origin=None)


def _expanded_size(x: Reals) -> Array:
    """``scale (|q| + |zero|)`` for dequantized reals: what a kernel that expands q - zero adds up."""
    if x.origin is None:
        return x.size()
    codes = x.origin.codes
    most = np.maximum(np.abs(codes.low), np.abs(codes.high))
    size: Array = x.origin.scale * (most + np.abs(x.origin.zero))
    return size


def _combine(
    low: Array, centre: Array, high: Array, error: Array, grid: Array, size: Array
) -> Reals:
    exact = (size <= EXACT_STEPS * grid) & (np.asarray(grid) >= SMALLEST_NORMAL)
    error = np.where(exact, 0.0, error + SMALLEST_NORMAL)
    error = np.where(size >= FLOAT32_END / 2, 2 * UNBOUNDED, error)
    if not error.any() and (low == high).all():
        return Reals(centre, centre, centre, grid=np.where(exact, grid, 0.0))
    return Reals(low - error, centre, high + error, grid=np.where(exact, grid, 0.0))


def reshaped(
    shape: tuple[int, ...], target: Sequence[int], allow_zero: bool
) -> tuple[int, ...]:
    """The shape that Reshape makes: 0 copies a dimension (unless ``allow_zero``), -1 fits the rest."""
    sizes = [
        shape[i] if each == 0 and not allow_zero and i < len(shape) else each
        for i, each in enumerate(target)
    ]
    if -1 in sizes:
        rest = math.prod(each for each in sizes if each != -1)
        sizes[sizes.index(-1)] = math.prod(shape) // rest if rest else 0
    return tuple(int(each) for each in sizes)
