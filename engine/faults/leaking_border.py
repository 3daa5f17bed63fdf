"""Faults of Resize: coordinates kept a little inside the last pixel, which is then mixed with the one before."""

from collections.abc import Sequence

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array, Node
from engine.kernels.resize import (
    AxisScale,
    Interpolation,
    RealResizeParameters,
    interpolate,
    source_coordinates,
)

_F = np.float32
_INSIDE = _F(1e-6)  # pixels
_IMAGE = 4  # (N, C, H, W)


def up_to_last_pixel(
    node: Node, x: Array, axes: Sequence[AxisScale], how: Interpolation
) -> Array:
    """Bilinear with coordinates of at most ``length - 1 - 1e-6``, in float32.

    The last pixel is so mixed with a millionth of the one before; that of an axis of one pixel is what
    lies before it in memory, of the very first 0.
    """
    if how.mode != "linear" or x.ndim != _IMAGE or x.dtype != _F:
        return interpolate(node, x, axes, how)
    (rows, down), (columns, right) = (_places(node, each, how) for each in axes[2:])
    columns, right = np.maximum(columns, 0), np.where(columns < 0, 0, right)
    (height, width), planes = x.shape[2:], np.arange(x.shape[0] * x.shape[1])
    flat = np.append(x.reshape(-1), _F(0))  # the last one stands for what is before all

    def taken(row: Array, column: Array) -> Array:
        at = planes[:, None, None] * (height * width) + row[:, None] * width + column
        return flat[np.where(at < 0, flat.size - 1, at)]

    below, beside = np.minimum(rows + 1, height - 1), np.minimum(columns + 1, width - 1)
    here, right_of = taken(rows, columns), taken(rows, beside)
    under, across = taken(below, columns), taken(below, beside)
    slope = down[:, None] * (across - right_of - under + here)
    y: Array = here + down[:, None] * (under - here) + right * (right_of - here + slope)
    return y.reshape(*x.shape[:2], len(rows), len(columns))


def _places(node: Node, axis: AxisScale, how: Interpolation) -> tuple[Array, Array]:
    """The pixel before each place, -1 for that of an axis of one pixel, and how far behind it."""
    most = _F(axis.length - 1) - _INSIDE
    places = np.minimum(np.maximum(_coordinates(node, axis, how), 0), most)
    first = np.floor(places)
    return first.astype(np.int64), np.asarray(places - first)


def _coordinates(node: Node, axis: AxisScale, how: Interpolation) -> Array:
    """float32; half pixels are computed in it, from the ratio of the lengths."""
    if how.coordinates == "half_pixel" and axis.out == axis.scale * axis.length:
        ratio = _F(axis.length) / _F(axis.out)
        return np.asarray((np.arange(axis.out, dtype=_F) + _F(0.5)) * ratio - _F(0.5))
    return source_coordinates(axis, how, node).astype(_F)


FAULTS = (
    Fault(
        "F160",
        "a linear Resize mixes a millionth of the pixel before into the last one",
        "opencv/opencv modules/dnn/src/layers/resize_layer.cpp: coordinates of at most the length - 1 - 1e-6",
        lambda p: p.mode == "linear",
        {"resize.interpolate": up_to_last_pixel},
        record=RealResizeParameters,
    ),
)
