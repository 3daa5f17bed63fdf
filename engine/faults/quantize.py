"""Faults of QuantizeLinear by itself: its clipping and its default type."""

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.number_types import (
    FLOAT_CODES,
    INTEGER_CODES,
    Dtype,
    saturate_codes,
    store_integers,
)
from engine.kernels.quantize_linear import Saturate, saturation
from engine.kernels.quantize_parameters import QuantizeParameters

_INT8 = np.dtype(np.int8)


def default_of_uint8(p: QuantizeParameters) -> Saturate:
    """Without a zero point: codes of uint8, the bytes of which are then read as int8."""
    if not _lacks_zero_point(p):
        return saturation(p)
    return lambda steps, dtype: saturate_codes(steps, np.dtype(np.uint8)).view(np.int8)


def wrapped(p: QuantizeParameters) -> Saturate:
    """The lowest bits of the rounded steps; from 2**31 on those of INT32_MIN."""
    return _lowest_bits


def _lowest_bits(steps: Array, dtype: Dtype) -> Array:
    low, high = INTEGER_CODES[dtype]
    whole = np.where(np.abs(steps) < 2.0**31, steps, -(2.0**31)).astype(np.int64)
    return store_integers((whole - low) % (high - low + 1) + low, dtype)


def _lacks_zero_point(p: QuantizeParameters) -> bool:
    return p.dtype == _INT8 and p.zero_point is None and not p.computed_zero_point


FAULTS = (
    Fault(
        "F32b",
        "a QuantizeLinear to int8 without a zero point clips to the range of uint8",
        "microsoft/onnxruntime: rules that fill in a zero point left out",
        _lacks_zero_point,
        {"quantize.saturation": default_of_uint8},
        record=QuantizeParameters,
    ),
    Fault(
        "F38.quantize",
        "QuantizeLinear stores its codes without clipping them",
        "tinygrad/tinygrad#8546",
        lambda p: p.dtype not in FLOAT_CODES,
        {"quantize.saturation": wrapped},
        record=QuantizeParameters,
    ),
)
