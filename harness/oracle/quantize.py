"""QuantizeLinear and DequantizeLinear on sets of values.

Source: ONNX QuantizeLinear-10..25 ``q = sat(rne(x / scale) + zero_point)``, DequantizeLinear-10..25
``x = (q - zero_point) * scale``; per tensor, per axis (since 13, default 1), and in
blocks along the axis (since 21).
"""

from typing import Any

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import (
    EXACT_STEPS,
    FLOAT64_ALLOWANCE,
    SMALLEST_NORMAL,
    UNIT,
    fits_float32,
    gamma,
    is_power_of_two,
    leaves_float32,
    round_to_codes,
)
from harness.oracle.float_codes import or_no_number, round_to_floats, smallest
from harness.oracle.graph import ELEMENT_TYPES, Node
from harness.oracle.piecewise import mirrored
from harness.oracle.values import (
    CODE_TYPES,
    FLOAT_CODES,
    INFINITE,
    UNBOUNDED,
    Codes,
    Number,
    Origin,
    Reals,
    Silent,
    Value,
)

_QUANTIZED = FLOAT_CODES | set(CODE_TYPES) - {np.dtype(np.int32)}


def quantize_linear(node: Node, x: Value, scale: Array, zero: Array | None) -> Codes:
    """``[sat(rne(x / scale - d)), sat(rne(x / scale + d))]`` with the zero point in place.

    Shapes: x ``(*S)``, scale and zero ``()`` or ``(S_axis)``. Errors: module ``bounds``.

    Raises:
        Silent: a scale that is 0, not finite or denormal, another output type.
    """
    _check_attributes(node)
    dtype = _code_type(node, zero)
    reals = x if isinstance(x, Reals) else _as_reals(x)
    spread_scale = along_axis(node, scale, reals.centre.shape)
    spread_zero = 0.0 if zero is None else along_axis(node, zero, reals.centre.shape)
    size, turned = _magnitude(spread_scale, node)
    if turned is not None:
        reals = mirrored(reals, turned)
    if dtype in FLOAT_CODES:
        if np.any(spread_zero):
            raise Silent("zero points of float codes are 0", node.where)
        saturate = bool(node.attributes.get("saturate", 1))
        return _round_floats(reals, size, dtype, saturate=saturate)
    return _round(reals, size, spread_zero, dtype)


def dequantize_linear(node: Node, q: Codes, scale: Array, zero: Array | None) -> Reals:
    """``(q - zero_point) * scale`` with one rounding, none where the scale is a power of two.

    Shapes: q ``(*S)``, scale and zero ``()`` or ``(S_axis)``.

    Raises:
        Silent: a scale that is 0, not finite or denormal.
    """
    _check_attributes(node)
    if node.attributes.get("output_dtype", 0) not in (0, 1):
        raise Silent("its output type is not float32", node.where)
    scale_of, turned = _magnitude(along_axis(node, scale, q.centre.shape), node)
    zero_of = 0.0 if zero is None else along_axis(node, zero, q.centre.shape)
    if q.dtype in FLOAT_CODES:
        return reals_of_floats(q, scale_of, turned)
    centre = (q.centre - zero_of) * scale_of
    low, high = centre, centre
    if not q.is_point:
        low, high = (q.low - zero_of) * scale_of, (q.high - zero_of) * scale_of
    other = None if q.other is q.centre else (q.other - zero_of) * scale_of
    grid, relative = _grid(scale_of), UNIT
    if q.dtype.itemsize == 4:
        # An int32 may need a rounding of its own before the product has one.
        relative = gamma(2)
        grid = np.where(np.abs(q.centre - zero_of) <= EXACT_STEPS, grid, 0.0)
    origin = Origin(q, scale_of, zero_of)
    x = Reals(low, centre, high, relative, grid, scale_of, origin, other=other)
    return x if turned is None else mirrored(x, turned)


def reals_of_floats(q: Codes, scale: Number, turned: Array | None = None) -> Reals:
    """``q * scale`` of codes that are floats; infinity and NaN may become anything."""
    centre = q.centre * scale
    low, high = (centre, centre) if q.is_point else (q.low * scale, q.high * scale)
    is_open = np.maximum(np.abs(q.low), np.abs(q.high)) >= INFINITE
    if is_open.any():
        low = np.where(is_open, -2 * UNBOUNDED, low)
        high = np.where(is_open, 2 * UNBOUNDED, high)
        centre = np.where(np.abs(q.centre) >= INFINITE, 0.0, centre)
    unit = smallest(q.dtype)
    grid = np.where(np.abs(centre) <= EXACT_STEPS * unit * scale, _grid(scale) * unit, 0.0)
    x = Reals(low, centre, high, UNIT, grid)
    return x if turned is None else mirrored(x, turned)


def along_axis(node: Node, parameter: Array, shape: tuple[int, ...]) -> Number:
    """A scale or zero point: a number, or float64 shaped to broadcast along the node's axis.

    In blocks, element i along the axis has parameter ``i // block_size``; the last block may be
    partial (QuantizeLinear-21).

    Raises:
        Silent: a length that does not fit, per-axis before opset 13.
    """
    if parameter.size == 1 and parameter.ndim <= 1:
        return float(parameter.item())
    if node.attributes.get("block_size", 0):
        return _by_block(node, parameter, shape)
    if parameter.ndim != 1:
        raise Silent(f"scales of shape {parameter.shape} without a block_size", node.where)
    if node.opset < 13:
        raise Silent(f"per-axis parameters need opset 13, not {node.opset}", node.where)
    axis, rank = node.attributes.get("axis", 1), len(shape)
    if not -rank <= axis < rank or shape[axis] != parameter.size:
        raise Silent(f"{parameter.size} scales along axis {axis} of shape {shape}", node.where)
    spread = [1] * rank
    spread[axis] = parameter.size
    return parameter.astype(np.float64).reshape(spread)


def _by_block(node: Node, parameter: Array, shape: tuple[int, ...]) -> Array:
    axis, rank = node.attributes.get("axis", 1), len(shape)
    size = int(node.attributes["block_size"])
    if not -rank <= axis < rank or size < 1:
        raise Silent(f"blocks of {size} along axis {axis} of shape {shape}", node.where)
    axis %= rank
    wanted = (*shape[:axis], -(-shape[axis] // size), *shape[axis + 1 :])
    if parameter.shape != wanted:
        raise Silent(f"parameters {parameter.shape} where {wanted} are needed", node.where)
    places = np.arange(shape[axis]) // size
    return np.take(parameter.astype(np.float64), places, axis)


def _magnitude(scale: Number, node: Node) -> tuple[Number, Array | None]:
    """``|scale|``, and where it was negative (legal, if odd): that mirrors the reals."""
    if isinstance(scale, float):
        if scale >= 0:
            return check_scale(scale, node), None
        return check_scale(-scale, node), np.ones((), bool)
    turned = scale < 0
    if not turned.any():
        return check_scale(scale, node), None
    return check_scale(np.abs(scale), node), turned


def check_scale(scale: Number, node: Node) -> Number:
    """The scale itself, if it is a positive, finite, normal float32; others mean nothing certain."""
    if isinstance(scale, float):
        fits = SMALLEST_NORMAL <= scale < UNBOUNDED
    else:
        fits = bool(((scale >= SMALLEST_NORMAL) & (scale < UNBOUNDED)).all())
    if not fits:
        raise Silent("its scale is not a positive, finite, normal float32 number", node.where)
    return scale


def _round(x: Reals, scale: Number, zero: Number, dtype: np.dtype[Any]) -> Codes:
    steps, error = _steps(x, scale, zero)
    return round_to_codes(steps, error, zero, dtype, _exact(x, steps[1], scale, zero))


def _round_floats(x: Reals, scale: Number, dtype: np.dtype[Any], *, saturate: bool) -> Codes:
    steps, error = _steps(x, scale, 0.0)
    exact = _exact(x, steps[1], scale, 0.0)
    return or_no_number(round_to_floats(steps, error, dtype, exact, saturate=saturate), x)


def _steps(x: Reals, scale: Number, zero: Number) -> tuple[tuple[Array, Array, Array], Array]:
    """Low, centre and high of ``x / scale``, and the error of its evaluation."""
    t = x.centre / scale
    low, high = (t, t) if x.is_point else (x.low / scale, x.high / scale)
    size: Array = np.abs(t) if x.is_point else np.maximum(np.abs(low), np.abs(high))
    total: Array = np.abs(t + zero) if x.is_point else size + np.abs(zero)
    spread = (x.roundings() + 2 * UNIT) * size
    error = spread + UNIT * (total + spread)
    if x.expanded:
        error = error + gamma(7) * np.abs(zero)
    error = error * FLOAT64_ALLOWANCE
    if leaves_float32(scale):
        error = np.full_like(error, UNBOUNDED)
    return (low, t, high), error


def _exact(x: Reals, t: Array, scale: Number, zero: Number) -> Array | None:
    """Where no evaluation errs, not even one that adds the zero point before it rounds."""
    power = is_power_of_two(scale)
    if power is False or not np.any(power):
        return None
    exact = power & fits_float32(t + zero)
    if x.relative:
        exact = exact & (np.asarray(x.grid) > 0)
    if not x.is_point:
        exact = exact & (x.low == x.high)
    return exact


def _check_attributes(node: Node) -> None:
    if not node.attributes:
        return
    if node.attributes.get("precision", 0) not in (0, 1):
        raise Silent("only float32 precision is judged", node.where)


def _code_type(node: Node, zero: Array | None) -> np.dtype[Any]:
    if zero is not None:
        dtype = zero.dtype
    else:
        number = node.attributes.get("output_dtype", 0) or 2
        dtype = ELEMENT_TYPES.get(number, np.dtype(np.float32))
    if dtype not in _QUANTIZED:
        raise Silent("its output type is not one of 2 to 16 bits", node.where)
    return dtype


def _as_reals(x: Codes) -> Reals:
    """Integers fed to QuantizeLinear are converted to float32 first."""
    exact = np.abs(x.centre) <= EXACT_STEPS
    return Reals(x.low, x.centre, x.high, UNIT, np.where(exact, 1.0, 0.0))


def _grid(scale: Number) -> Number:
    if isinstance(scale, float):
        return scale if is_power_of_two(scale) else 0.0
    return np.where(is_power_of_two(scale), scale, 0.0)
