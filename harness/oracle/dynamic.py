"""DynamicQuantizeLinear, and the product that begins with it.

``scale = (max(x, 0) - min(x, 0)) / 255`` in at most 2 roundings, ``zero = rne(sat(-min(x, 0) / scale))`` in
at most 3 more. Where all of x is 0 the standard divides 0 by 0: scale and zero may be anything then, but
what the codes stand for is 0. Source: ONNX DynamicQuantizeLinear-11; onnxruntime's DynamicQuantizeMatMul.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import FLOAT64_ALLOWANCE, UNIT, gamma, round_to_codes
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.matmul import error_of_reals, plus_bias, scale_product, sums_of_codes
from harness.oracle.terms import INT32_END, largest
from harness.oracle.values import UNBOUNDED, Codes, Reals, Silent, Value

UINT8 = np.dtype(np.uint8)
SCALE_ROUNDINGS = 2


@dataclass(frozen=True, slots=True)
class Range:
    """Scale and zero point of a tensor, each as a set; ``is_flat``: the tensor may be all 0."""

    scale: Reals
    zero: Codes
    is_flat: bool


def dynamic_quantize_linear(node: Node, inputs: Inputs) -> tuple[Value, ...]:
    """Codes uint8, scale and zero point of a float tensor."""
    x = inputs.reals(0)
    found = _range(x, node)
    return _codes(x, found), found.scale, found.zero


def _range(x: Reals, node: Node) -> Range:
    if not x.centre.size:
        raise Silent("nothing has no smallest element", node.where)
    slack = x.roundings() * x.size()
    lows = [np.minimum(each.min(), 0.0) for each in (x.low - slack, x.centre, x.high + slack)]
    highs = [np.maximum(each.max(), 0.0) for each in (x.low - slack, x.centre, x.high + slack)]
    least, centre, most = (highs[i] - lows[2 - i] for i in range(3))
    if least <= 0 or most >= UNBOUNDED / 2:
        anything, one = np.asarray(UNBOUNDED), np.asarray(1.0)
        return Range(Reals(-anything, one, anything), _any_zero(), is_flat=most <= 0)
    error = gamma(SCALE_ROUNDINGS) * FLOAT64_ALLOWANCE
    scale = Reals(
        np.asarray(least / 255 * (1 - error)),
        np.asarray(centre / 255),
        np.asarray(most / 255 * (1 + error)),
    )
    # -min / scale, each at the end that makes it smallest, the true one, largest
    steps = [
        np.asarray(-255 * low / span)
        for low, span in ((lows[2], most), (lows[1], centre), (lows[0], least))
    ]
    doubt = np.asarray(steps[2] * gamma(SCALE_ROUNDINGS + 3) * FLOAT64_ALLOWANCE)
    ends = (steps[1],) * 3 if x.is_point else (steps[0], steps[1], steps[2])
    return Range(scale, round_to_codes(ends, doubt, 0.0, UINT8, None), is_flat=False)


def _any_zero() -> Codes:
    low, high = np.asarray(0.0), np.asarray(255.0)
    return Codes(UINT8, low, low, high, low)


def _codes(x: Reals, found: Range) -> Codes:
    """``sat(rne(x / scale) + zero)`` for every scale and zero point of their sets."""
    t, error = _steps(x, found)
    y = round_to_codes(t, error, found.zero.centre, UINT8, None)
    if found.zero.is_point:
        return y
    low = np.maximum(y.low - (found.zero.centre - found.zero.low), 0.0)
    high = np.minimum(y.high + (found.zero.high - found.zero.centre), 255.0)
    return Codes(UINT8, low, y.centre, high, y.centre)


def _steps(x: Reals, found: Range) -> tuple[tuple[Array, Array, Array], Array]:
    """``x / scale`` and its error, with an open scale everything."""
    scale = float(found.scale.centre)
    t = x.centre / scale
    if float(found.scale.high) >= UNBOUNDED:
        return (t, t, t), np.full_like(t, UNBOUNDED)
    ends = (t, t) if x.is_point else (x.low / scale, x.high / scale)
    away = (float(found.scale.high) - float(found.scale.low)) / float(found.scale.low)
    size = largest(ends[0], t, ends[1])
    error = size * (x.roundings() + away + 2 * UNIT)
    error = error + UNIT * (size + 255)
    return (ends[0], t, ends[1]), FLOAT64_ALLOWANCE * error


def dynamic_quantize_matmul(node: Node, inputs: Inputs) -> Reals:
    """``scale_a scale_b sum (qa - zero_a)(qb - zero_b) + bias``, a quantized dynamically.

    Or the same as a sum of reals: its schema, too, says no more than "A * B".
    """
    x, b = inputs.reals(0), inputs.codes(1)
    found = _range(x, node)
    a, scale_b, zero_b = _shifted(x, found), inputs.array(2), inputs.optional(3)
    low, acc, high, size = sums_of_codes(a, b, None, zero_b)
    if found.is_flat:
        product, away = scale_product(node, np.ones((), np.float32), scale_b), 0.0
    elif float(found.scale.high) >= UNBOUNDED:
        raise Silent("its input may be all 0, which has no scale", node.where)
    else:
        product = scale_product(node, found.scale.centre, scale_b)
        away = float(found.scale.high - found.scale.low) / float(found.scale.low)
    error = size * np.abs(product) * ((gamma(10) + away) * FLOAT64_ALLOWANCE)
    error += error_of_reals(a, b, [None, zero_b], product)
    error = np.where(size >= INT32_END, 2 * UNBOUNDED, error)
    y = Reals(
        low * product - error,
        acc * product,
        high * product + error,
        quantum=np.broadcast_to(product, acc.shape),
    )
    return y if not inputs.has(4) else plus_bias(y, inputs.reals(4))


def _shifted(x: Reals, found: Range) -> Codes:
    """The integers ``q - zero`` of a, as codes without a zero point."""
    if found.is_flat:
        zero = np.zeros(x.centre.shape)
        return Codes(np.dtype(np.int32), zero, zero, zero, zero)
    y, z = _codes(x, found), found.zero
    centre = y.centre - z.centre
    if y.is_point and z.is_point:
        return Codes(np.dtype(np.int32), centre, centre, centre, centre)
    return Codes(np.dtype(np.int32), y.low - z.high, centre, y.high - z.low, centre)


OPERATORS: Mapping[str, Callable[[Node, Inputs], Value | tuple[Value, ...]]] = (
    MappingProxyType(
        {
            "DynamicQuantizeLinear": dynamic_quantize_linear,
            "com.microsoft::DynamicQuantizeMatMul": dynamic_quantize_matmul,
        }
    )
)
