"""QuantizeLinear and DequantizeLinear on sets of values.

Source: ONNX QuantizeLinear-10..25 ``q = sat(rne(x / scale) + zero_point)``, DequantizeLinear-10..25
``x = (q - zero_point) * scale``; per tensor and per axis (axis since 13, default 1).
"""

from typing import Any

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import (
    FLOAT64_ALLOWANCE,
    UNIT,
    fits_float32,
    gamma,
    is_power_of_two,
    round_to_codes,
)
from harness.oracle.graph import ELEMENT_TYPES, Node
from harness.oracle.values import UNBOUNDED, Codes, Origin, Reals, Silent, Value

_QUANTIZED = {np.dtype(t) for t in (np.uint8, np.int8, np.uint16, np.int16)}


def quantize_linear(node: Node, x: Value, scale: Array, zero: Array | None) -> Codes:
    """``[sat(rne(x / scale - d)), sat(rne(x / scale + d))]`` with the zero point in place.

    Shapes: x ``(*S)``, scale and zero ``()`` or ``(S_axis)``. Errors: module ``bounds``.
    """
    _check_attributes(node)
    dtype = _code_type(node, zero)
    reals = x if isinstance(x, Reals) else _as_reals(x)
    spread_scale = along_axis(node, scale, reals.centre.ndim)
    spread_zero = 0.0 if zero is None else along_axis(node, zero, reals.centre.ndim)
    return requantize(reals, check_scale(spread_scale, node), spread_zero, dtype)


def requantize(x: Reals, scale: Array, zero: Array | float, dtype: np.dtype[Any]) -> Codes:
    """QuantizeLinear with parameters that broadcast to x."""
    t = x.centre / scale
    low, high = (t, t) if x.is_point else (x.low / scale, x.high / scale)
    size = np.abs(t) if x.is_point else np.maximum(np.abs(low), np.abs(high))
    total = np.abs(t + zero) if x.is_point else size + np.abs(zero)
    spread = (x.roundings() + 2 * UNIT) * size
    error = spread + UNIT * (total + spread)
    if x.expanded:
        error = error + gamma(7) * np.abs(zero)
    error = error * FLOAT64_ALLOWANCE
    exact = _exact_elements(x, low, t, high, zero, is_power_of_two(scale))
    return round_to_codes((low, t, high), error, zero, dtype, exact)


def dequantize_linear(node: Node, q: Value, scale: Array, zero: Array | None) -> Reals:
    """``(q - zero_point) * scale`` with one rounding, none where the scale is a power of two."""
    _check_attributes(node)
    if not isinstance(q, Codes):
        raise Silent("its input is not an integer tensor", node.where)
    spread_scale = check_scale(along_axis(node, scale, q.centre.ndim), node)
    spread_zero = np.zeros(()) if zero is None else along_axis(node, zero, q.centre.ndim)
    return dequantize(q, spread_scale, spread_zero)


def dequantize(q: Codes, scale: Array, zero: Array) -> Reals:
    """DequantizeLinear with parameters that broadcast to q."""
    centre = (q.centre - zero) * scale
    low, high = (centre, centre)
    if not q.is_point:
        low, high = (q.low - zero) * scale, (q.high - zero) * scale
    other = None if q.other is q.centre else (q.other - zero) * scale
    grid, relative = _grid(scale), UNIT
    if q.dtype.itemsize == 4:
        # An int32 may need a rounding of its own before the product has one.
        relative = gamma(2)
        grid = np.where(np.abs(q.centre - zero) <= 2.0**24, grid, 0.0)
    return Reals(
        low,
        centre,
        high,
        relative,
        grid,
        float(scale) if scale.ndim == 0 else scale,
        Origin(q, scale, zero),
        other=other,
    )


def along_axis(node: Node, parameter: Array, rank: int) -> Array:
    """A scale or zero point as float64, shaped to broadcast along the node's axis.

    Raises:
        Silent: blocked quantization, or a length where the opset knows only per-tensor.
    """
    if parameter.size == 1 and parameter.ndim <= 1:
        return parameter.astype(np.float64).reshape(())
    if parameter.ndim != 1:
        raise Silent(f"blocked scales of shape {parameter.shape} are not judged", node.where)
    if node.opset < 13:
        raise Silent(f"per-axis parameters need opset 13, not {node.opset}", node.where)
    axis = node.attributes.get("axis", 1)
    shape = [1] * rank
    if not -rank <= axis < rank:
        raise Silent(f"axis {axis} is outside rank {rank}", node.where)
    shape[axis] = parameter.size
    return parameter.astype(np.float64).reshape(shape)


def check_scale(scale: Array, node: Node) -> Array:
    """The scale itself, if it is positive and finite; the standard gives no other one a meaning."""
    if not ((scale > 0) & (scale < UNBOUNDED)).all():
        raise Silent("its scale is not positive and finite", node.where)
    return scale


def _check_attributes(node: Node) -> None:
    if node.attributes.get("block_size", 0):
        raise Silent("block_size is not judged", node.where)
    if node.attributes.get("precision", 0) not in (0, 1):
        raise Silent("only float32 precision is judged", node.where)


def _code_type(node: Node, zero: Array | None) -> np.dtype[Any]:
    if zero is not None:
        dtype = zero.dtype
    else:
        named = node.attributes.get("output_dtype", 0)
        dtype = ELEMENT_TYPES[named] if named in ELEMENT_TYPES else np.dtype(np.uint8)
        if named and named not in ELEMENT_TYPES:
            raise Silent(f"output type {named} is not judged", node.where)
    if dtype not in _QUANTIZED:
        raise Silent("its output type is not judged", node.where)
    return dtype


def _as_reals(x: Codes) -> Reals:
    """Integers fed to QuantizeLinear are converted to float32 first."""
    exact = np.abs(x.centre) <= 2.0**24
    return Reals(x.low, x.centre, x.high, UNIT, np.where(exact, 1.0, 0.0))


def _grid(scale: Array) -> Array | float:
    if scale.ndim == 0:
        return float(scale) if is_power_of_two(scale) else 0.0
    return np.where(is_power_of_two(scale), scale, 0.0)


def _exact_elements(
    x: Reals, low: Array, t: Array, high: Array, zero: Array | float, power: Array
) -> Array | None:
    """Where no evaluation errs, not even one that adds the zero point before it rounds."""
    if not power.any():
        return None
    exact = power & fits_float32(t + zero)
    if x.relative:
        exact = exact & (np.asarray(x.grid) > 0)
    if not x.is_point:
        exact = exact & (low == high)
    return exact if exact.any() else None
