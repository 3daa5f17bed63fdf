"""The number types of ONNX beyond numpy's own, and the conversions that numpy does not round right."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import ml_dtypes
import numpy as np

from engine.ir import Array

Dtype = np.dtype[Any]

BFLOAT16: Dtype = np.dtype(ml_dtypes.bfloat16)
POWER_OF_TWO: Dtype = np.dtype(ml_dtypes.float8_e8m0fnu)
"""float8e8m0: no sign, no mantissa, 2**-127 to 2**127 and NaN."""

INTEGER_CODES: Mapping[Dtype, tuple[int, int]] = MappingProxyType(
    {
        np.dtype(np.uint8): (0, 255),
        np.dtype(np.int8): (-128, 127),
        np.dtype(np.uint16): (0, 65535),
        np.dtype(np.int16): (-32768, 32767),
        np.dtype(ml_dtypes.uint4): (0, 15),
        np.dtype(ml_dtypes.int4): (-8, 7),
        np.dtype(ml_dtypes.uint2): (0, 3),
        np.dtype(ml_dtypes.int2): (-2, 1),
    }
)
"""Lowest and highest code of every integer type that QuantizeLinear writes."""

E4M3FN: Dtype = np.dtype(ml_dtypes.float8_e4m3fn)
E5M2: Dtype = np.dtype(ml_dtypes.float8_e5m2)
FLOAT8: frozenset[Dtype] = frozenset(
    [
        E4M3FN,
        E5M2,
        np.dtype(ml_dtypes.float8_e4m3fnuz),
        np.dtype(ml_dtypes.float8_e5m2fnuz),
    ]
)
FLOAT_CODES: frozenset[Dtype] = FLOAT8 | {
    np.dtype(ml_dtypes.float4_e2m1fn),
    np.dtype(ml_dtypes.float6_e2m3fn),
    np.dtype(ml_dtypes.float6_e3m2fn),
}
"""The float types that QuantizeLinear writes."""

PACKED: Mapping[Dtype, int] = MappingProxyType(
    {
        np.dtype(ml_dtypes.uint4): 2,
        np.dtype(ml_dtypes.int4): 2,
        np.dtype(ml_dtypes.uint2): 4,
        np.dtype(ml_dtypes.int2): 4,
    }
)
"""Codes in a byte of a stored tensor; in an array of ours each has a byte of its own."""

_BY_FLOAT32 = FLOAT_CODES | {BFLOAT16}


def largest(dtype: Dtype) -> float:
    """The largest finite number of a float type."""
    return float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]


def saturate_codes(steps: Array, dtype: Dtype) -> Array:
    """``sat(v)`` of rounded float steps, which it overwrites; NaN gives the lowest code.

    Source:
        ONNX QuantizeLinear; it is silent about NaN, which the x86 maximum turns into the lowest.
    """
    low, high = INTEGER_CODES[dtype]
    np.clip(steps, low, high, out=steps)
    if np.isnan(steps.min(initial=low)):
        steps[np.isnan(steps)] = low
    return store_integers(steps, dtype)


def store_integers(steps: Array, dtype: Dtype) -> Array:
    """Integers in range as codes; by way of int8 where ml_dtypes itself is slow."""
    if dtype in PACKED:
        return steps.astype(np.int8).astype(dtype)
    codes: Array = steps.astype(dtype)
    return codes


def to_float8(values: Array, dtype: Dtype, saturate: bool) -> Array:
    """The nearest float of 4, 6 or 8 bits, ties to even mantissas.

    Beyond the largest finite number: that number where ``saturate`` or where the type has no other;
    else infinity (float8e5m2) or NaN. NaN stays NaN.

    Source:
        ONNX Cast-19, the two tables of its text.
    """
    if saturate and dtype in FLOAT8:
        values = np.clip(values, -largest(dtype), largest(dtype))
    return round_to(values, dtype)


def round_to(values: Array, dtype: Dtype) -> Array:
    """The nearest float of another type, ties to even.

    Exact:
        ml_dtypes converts by way of float32; a float64 is rounded to odd there, so that the second
        rounding cannot go wrong (Boldo and Melquiond, 2008).
    """
    if dtype in _BY_FLOAT32 and values.dtype != np.float32:
        wide = values.astype(np.float64)
        values = round_to_odd(wide)
    rounded: Array = values.astype(dtype)
    return rounded


def round_to_odd(wide: Array) -> Array:
    """float64 to float32: an inexact result takes the neighbour whose last bit is 1."""
    near = np.atleast_1d(wide.astype(np.float32))
    exact = np.atleast_1d(wide)
    bits = near.view(np.int32)
    even = (near != exact) & ~np.isnan(near) & (bits & 1 == 0)
    outwards = np.abs(exact) > np.abs(near)
    bits += np.where(even, np.where(outwards, 1, -1), 0).astype(np.int32)
    return near.reshape(wide.shape)


def to_power_of_two(values: Array, saturate: bool, mode: str) -> Array:
    """float8e8m0 of the magnitudes: the power of two above (``up``), below or nearest, ties up.

    Beyond 2**-127 to 2**127 the nearer end where ``saturate``, else NaN; NaN stays NaN.

    Source:
        ONNX Cast-24, the table of its text; negative numbers are unspecified there.
    """
    size = np.abs(np.atleast_1d(values.astype(np.float64)))
    mantissa, exponent = np.frexp(size)
    if mode == "up":
        power = np.where(mantissa > 0.5, exponent, exponent - 1)
    elif mode == "nearest":
        power = np.where(mantissa >= 0.75, exponent, exponent - 1)
    else:
        power = exponent - 1
    power = np.where(np.isinf(size), 1000, np.where(size == 0, -1000, power))
    outside = (power < -127) | (power > 127)
    codes = np.clip(power, -127, 127) + 127
    bad = np.isnan(size) if saturate else np.isnan(size) | outside
    return np.where(bad, 255, codes).astype(np.uint8).view(POWER_OF_TWO).reshape(values.shape)
