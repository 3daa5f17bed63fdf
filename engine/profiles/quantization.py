"""How each engine rounds in QuantizeLinear."""

from collections.abc import Callable

import numpy as np

from engine.ir import Array

_F = np.float32
Scale = Array | np.float32
Rule = Callable[[Array, Scale, Array], Array]
"""(reals, scale, zero point as float32) -> rounded codes, not yet clipped."""


def divide(x: Array, scale: Scale, zero_point: Array) -> Array:
    """``rne(fl(x/s)) + z``: the standard's division, the zero point outside, eq. (2).

    Source:
        ONNX QuantizeLinear-13; onnxruntime core/mlas/lib/quantize.cpp.
    """
    rounded: Array = np.rint(x / scale) + zero_point
    return rounded


def multiply_by_reciprocal(x: Array, scale: Scale, zero_point: Array) -> Array:
    """``rne(fl(fl(x*fl(1/s)) + z))``: a reciprocal, the zero point inside.

    Source:
        opencv 5 dnn, measured on QuantizeLinear layers.
    """
    rounded: Array = np.rint(x * (_F(1) / scale) + zero_point)
    return rounded
