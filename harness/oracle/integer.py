"""ConvInteger: sums of products of codes as they are. Exact; errors there are none.

Source: ONNX ConvInteger-10. Products never overflow, sums of them may do so "if and only if in 32 bits":
a sum that may leave int32 may become anything.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.convolution import columns, sums, weight_rows, window
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.terms import INT32_END, largest
from harness.oracle.values import Codes, Silent


def conv_integer(node: Node, inputs: Inputs) -> Codes:
    """``sum (x - zero_x) (w - zero_w)``; borders are zero_x, which adds 0.

    Shapes: x ``(N, C, *S)``, w ``(M, C/group, *K)``, zero_x ``()``, zero_w ``()`` or ``(M)``.

    Raises:
        Silent: shapes that do not fit; weights in doubt.
    """
    x, w = inputs.codes(0), inputs.codes(1)
    if not w.is_point:
        raise Silent("weights with more than one allowed code are not judged", node.where)
    win = window(node.attributes, x.centre.shape, w.centre.shape, node.where)
    zero_x = _zero(node, inputs.optional(2), 1)
    zero_w = _zero(node, inputs.optional(3), w.centre.shape[0])
    rows = weight_rows(w.centre - zero_w.reshape(-1, *(1,) * (w.centre.ndim - 1)), win)
    centre = sums(columns(x.centre - zero_x, win), rows, win)
    if x.is_point:
        return int32_codes(centre, centre, centre, np.abs(centre))
    middle = sums(columns((x.low + x.high) / 2 - zero_x, win), rows, win)
    radius = sums(columns((x.high - x.low) / 2, win), np.abs(rows), win)
    low, high = middle - radius, middle + radius
    return int32_codes(low, centre, high, largest(low, centre, high))


def int32_codes(low: Array, acc: Array, high: Array, size: Array) -> Codes:
    """Accumulators; every int32 where one of that size may leave int32."""
    is_open = size >= INT32_END
    if is_open.any():
        low, high = (
            np.where(is_open, end, each)
            for each, end in ((low, -INT32_END), (high, INT32_END - 1))
        )
    return Codes(np.dtype(np.int32), low, acc, high, acc)


def _zero(node: Node, zero: Array | None, channels: int) -> Array:
    if zero is None:
        return np.zeros(1)
    if zero.size not in (1, channels):
        raise Silent(f"{zero.size} zero points for {channels} channels", node.where)
    return zero.astype(np.float64).reshape(-1)


OPERATORS: Mapping[str, Callable[[Node, Inputs], Codes]] = MappingProxyType(
    {"ConvInteger": conv_integer}
)
