"""How torch quantizes the activations of a linear layer when it runs: scale, zero point, codes."""

from collections.abc import Callable

import numpy as np

from engine.errors import EngineError
from engine.ir import Array
from engine.kernels.number_types import saturate_codes
from engine.profiles.quantization import torch_quantize

_F = np.float32
_LEAST = float(_F(6.1e-5))
_CODES = np.dtype(np.uint8)

Activation = Callable[[Array], tuple[Array, Array, Array]]
"""Reals -> uint8 codes, the scale that the sums are multiplied with, the zero point."""


def torch_range(low: float, high: float) -> tuple[float, int]:
    """``s = (high - low)/255`` in double, at least 6.1e-5; z from the end with the smaller error.

    Raises:
        EngineError: the range is not finite.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/QuantUtils.h (ChooseQuantizationParams).
    """
    scale = (high - low) / 255
    if not scale < np.inf:
        raise EngineError(
            f"data from {low} to {high} have the scale {scale}; it must be finite"
        )
    if _F(scale) == 0 or np.isinf(_F(1) / _F(scale)):
        scale = 0.1
    if scale < _LEAST:
        low, high = _widened(low, high, _F(scale))
        scale = _LEAST
    below, above = low / scale, high / scale
    zero = -below if abs(below) < 255 + abs(above) else 255 - above
    return scale, int(np.rint(min(max(zero, 0.0), 255.0)))


def _widened(low: float, high: float, scale: np.float32) -> tuple[float, float]:
    """The range that the smallest scale stands for."""
    if low == 0:
        return low, _LEAST * 255
    if high == 0:
        return -_LEAST * 255, high
    factor = _F(_LEAST) / scale
    return float(_F(low) * factor), float(_F(high) * factor)


def _range_of(x: Array) -> tuple[float, int]:
    return torch_range(float(x.min(initial=_F(0))), float(x.max(initial=_F(0))))


def fbgemm_activation(x: Array) -> tuple[Array, Array, Array]:
    """``rne(fma(x, fl(1/fl(s)), z))``; sums are multiplied with ``fl(s)``; qnnpack does the same.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/qlinear_dynamic.cpp.
    """
    exact_scale, zero = _range_of(x)
    scale, zero_point = np.asarray(exact_scale, _F), np.asarray(zero, _CODES)
    steps = torch_quantize(x, scale, zero_point.astype(_F))
    return saturate_codes(np.asarray(steps), _CODES), scale, zero_point


def onednn_activation(x: Array) -> tuple[Array, Array, Array]:
    """``i = fl(1/fl(1/fl(1/s)))``, ``rne(fl(fl(x*i) + z))``; sums are multiplied with ``fl(1/fl(1/s))``.

    Source:
        found by experiment on the kernels that torch 2.13 ships.
    """
    exact_scale, zero = _range_of(x)
    scale, zero_point = np.asarray(_F(1) / _F(1 / exact_scale)), np.asarray(zero, _CODES)
    steps = np.rint(x * (_F(1) / scale) + _F(zero))
    return saturate_codes(np.asarray(steps), _CODES), scale, zero_point
