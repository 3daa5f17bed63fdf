"""Conv and QLinearConv on sets of values; the error terms are derived in ``bounds``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from harness.oracle.convolution import Window, columns, sums, weight_rows, window
from harness.oracle.graph import Node
from harness.oracle.quantize import check_scale
from harness.oracle.terms import INT32_END, Terms, add_bias, largest, products, settle
from harness.oracle.values import UNBOUNDED, Codes, Number, Reals, Silent


@dataclass(frozen=True, slots=True)
class Scales:
    """Scale and zero point of QLinearConv's x, w (a number or ``(M)``) and y."""

    x: float
    x_zero: float
    w: Number
    w_zero: Number
    y: float
    y_zero: float


def qlinear_conv(
    node: Node,
    x: Codes,
    w: Codes,
    scales: Scales,
    bias: Codes | None,
    dtype: np.dtype[np.generic],
) -> Codes:
    """``sat(rne(M * (dot + bias)) + zero_y)``, M = scale_x scale_w / scale_y, dot exact.

    Source: ONNX QLinearConv-10. Shapes: x ``(N, C, *S)``, w ``(M, C/group, *K)``, parameters of w
    ``()`` or ``(M)``, bias ``(M)`` int32. Elements whose accumulator leaves int32 may be anything.

    Raises:
        Silent: shapes that do not fit, a scale that is not positive and finite.
    """
    win = window(node.attributes, x.centre.shape, w.centre.shape, node.where)
    image = (1,) * len(win.out)
    product = check_scale(scales.x, node) * _spread(check_scale(scales.w, node), image)
    multiplier, zero = product / check_scale(scales.y, node), scales.y_zero
    _check_channels(node, w, scales.w, scales.w_zero, None if bias is None else bias.centre)
    low, dot, high = _integer_sums(x, w, scales, win)
    size = largest(low, dot, high)
    if bias is not None:
        b = _spread(bias.centre, image)
        size = size + np.abs(b)
        dot, low, high = dot + b, low + b, high + b
    t = dot * multiplier
    ends = (t, t) if x.is_point else (low * multiplier, high * multiplier)
    reach = np.abs(t + zero) if x.is_point else largest(ends[0], t, ends[1]) + abs(zero)
    # gamma(10) s + u (|v| + gamma(10) s)
    error = size * (gamma(10) * (1 + UNIT) * FLOAT64_ALLOWANCE * multiplier)
    error += reach * (UNIT * FLOAT64_ALLOWANCE)
    if size.max(initial=0.0) >= INT32_END:
        error = _open_accumulators(error, low, high)
    exact = _exact_products(scales, size, t + zero, image) if x.is_point else None
    if leaves_float32(product) or leaves_float32(multiplier):
        error, exact = np.full_like(error, UNBOUNDED), None
    return round_to_codes((ends[0], t, ends[1]), error, zero, dtype, exact)


def conv(node: Node, x: Reals, w: Reals, bias: Reals | None) -> Reals:
    """``sum x w + bias``: as integers times ``scale_x scale_w``, or in float32 in any order.

    Source: ONNX Conv-1..22. Shapes: x ``(N, C, *S)``, w ``(M, C/group, *K)``, bias ``(M)``. Units:
    real. Float32 overflow, and a fused accumulator outside int32, may become anything.

    Raises:
        Silent: shapes that do not fit.
    """
    win = window(node.attributes, x.centre.shape, w.centre.shape, node.where)
    quantum = _quantum(x, w, len(win.out))
    terms = _products(x, w, win)
    if bias is not None:
        _check_channels(node, w, bias.centre)
        terms = add_bias(terms, _by_channel(bias, len(win.out)), quantum)
    return settle(terms, w.centre[:1].size, quantum)


def _by_channel(bias: Reals, rank: int) -> Reals:
    """A bias ``(M)`` shaped to broadcast against ``(N, M, *out)``."""
    shape = (-1, *(1,) * rank)
    centre = bias.centre.reshape(shape)
    low, high = centre, centre
    if not bias.is_point:
        low, high = bias.low.reshape(shape), bias.high.reshape(shape)
    grid = bias.grid if isinstance(bias.grid, float) else bias.grid.reshape(shape)
    return Reals(low, centre, high, bias.relative, grid, bias.quantum)


def _integer_sums(
    x: Codes, w: Codes, scales: Scales, win: Window
) -> tuple[Array, Array, Array]:
    """Low, centre and high of ``sum (x - zero_x) (w - zero_w)``, exact."""
    rows = weight_rows(w.centre - _spread(scales.w_zero, (1,) * (len(win.out) + 1)), win)
    centre = sums(columns(x.centre - scales.x_zero, win), rows, win)
    if x.is_point:
        return centre, centre, centre
    middle = sums(columns((x.low + x.high) / 2 - scales.x_zero, win), rows, win)
    radius = sums(columns((x.high - x.low) / 2, win), np.abs(rows), win)
    return middle - radius, centre, middle + radius


def _check_channels(node: Node, w: Codes | Reals, *parameters: Number | None) -> None:
    if isinstance(w, Codes) and not w.is_point:
        raise Silent("weights with more than one allowed code are not judged", node.where)
    channels = w.centre.shape[0]
    for each in parameters:
        if isinstance(each, np.ndarray) and each.shape != (channels,):
            raise Silent(f"shape {each.shape} where ({channels},) is needed", node.where)


def _open_accumulators(error: Array, low: Array, high: Array) -> Array:
    """No bound where the accumulator may leave int32: QLinearConv lets it overflow."""
    is_open = (low < -INT32_END) | (high > INT32_END - 1)
    return np.where(is_open, UNBOUNDED, error)


def _exact_products(
    scales: Scales, size: Array, v: Array, image: tuple[int, ...]
) -> Array | None:
    """Where every kernel's float32 steps are exact: powers of two, small sums, small total."""
    if not (is_power_of_two(scales.x) and is_power_of_two(scales.y)):
        return None
    power = is_power_of_two(scales.w)
    if power is False or not np.any(power):
        return None
    exact: Array = (size <= EXACT_STEPS) & fits_float32(v) & _spread(power, image)
    return exact


def _spread(parameter: Any, image: tuple[int, ...]) -> Any:
    """A parameter for each output channel, shaped ``(M, 1...)``; a number stays one."""
    return parameter if isinstance(parameter, float | bool) else parameter.reshape(-1, *image)


def _products(x: Reals, w: Reals, win: Window) -> Terms:
    unit = _per_output(w.grid, w, np.min) * float(np.min(x.grid))
    return products(
        x,
        w,
        lambda a, b: sums(a, b, win),
        unit.reshape(-1, *(1,) * len(win.out)),
        (lambda array: columns(array, win), lambda array: weight_rows(array, win)),
    )


def _quantum(x: Reals, w: Reals, image_rank: int) -> Array | None:
    """Real size of one accumulator unit, ``(M or 1, 1...)``; None unless both are integers."""
    if x.quantum is None or w.quantum is None:
        return None
    each = _per_output(w.quantum, w, np.max) * float(np.max(x.quantum))
    return each.reshape(-1, *(1,) * image_rank)


def _per_output(parameter: Number, w: Reals, reduce: Callable[..., Array]) -> Array:
    """One number for each output channel from one for each weight: ``(M)`` or ``(1)``."""
    if isinstance(parameter, float):
        return np.array([parameter])
    if parameter.ndim != w.centre.ndim:
        return reduce(parameter).reshape(1)
    return reduce(parameter.reshape(parameter.shape[0], -1), axis=1)
