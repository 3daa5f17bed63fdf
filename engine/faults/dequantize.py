"""Faults of DequantizeLinear by itself: the order in which it subtracts and multiplies."""

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.dequantize_linear import Centre, Dequantize
from engine.kernels.number_types import INTEGER_CODES
from engine.kernels.quantize_parameters import DequantizeParameters


def distributed(middle: Centre) -> Dequantize:
    """``fl(fl(q * s) - fl(z * s))``."""

    def real(q: Array, scale: Array, zero_point: Array | None) -> Array:
        if zero_point is None or q.dtype not in INTEGER_CODES:
            return np.asarray(middle(q, zero_point) * scale)
        shift = np.asarray(zero_point.astype(np.float32) * scale)
        return np.asarray(q.astype(np.float32) * scale - shift)

    return real


def _rounds(p: DequantizeParameters) -> bool:
    """Whether a product with the scale may round; computed scales may."""
    if p.scale is None:
        return True
    fractions, _ = np.frexp(p.scale.astype(np.float64))
    return bool((np.abs(fractions) != 0.5).any())


def _rounds_zero_point(p: DequantizeParameters) -> bool:
    """Whether a product with a zero point other than 0 may round."""
    return p.zero_point is not None and bool(p.zero_point.any()) and _rounds(p)


FAULTS = (
    Fault(
        "F125",
        "DequantizeLinear subtracts the zero point after the product with the scale",
        "openvinotoolkit/openvino: fused Subtract and Multiply, measured",
        _rounds_zero_point,
        {"dequantize.real": distributed},
        record=DequantizeParameters,
    ),
)
