"""One function per rounding rule, conversion and exact sum; each a formula with its source.

Equation numbers refer to ``engine/README.md``.
"""

import numpy as np
import numpy.typing as npt

from engine.ir import Array

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]

INT32_MIN = -(2**31)
RANGES = {
    np.dtype(np.uint8): (0, 255),
    np.dtype(np.int8): (-128, 127),
}
"""Lowest and highest code of each 8-bit type."""


def round_half_even(steps: Array) -> Array:
    """``rne(v)``: the nearest integer, a tie to the even one, eq. (6).

    Source:
        ONNX QuantizeLinear; x86 ``cvtps2dq`` in the default rounding mode.
    """
    rounded: Array = np.rint(steps)
    return rounded


def round_half_away(steps: Array) -> Array:
    """``sign(v) * floor(|v| + 1/2)``: a tie away from zero.

    Exact:
        The fraction is compared, not ``|v| + 1/2``, which itself may round.

    Source:
        C ``round``; ARM ``vcvta``.
    """
    magnitude = np.abs(steps)
    whole = np.floor(magnitude)
    rounded: Array = np.copysign(whole + (magnitude - whole >= 0.5), steps)
    return rounded


def convert_to_int32(steps: Array) -> Array:
    """``cvtps2dq``: rne, but INT32_MIN for NaN and for whatever leaves int32; as float64.

    Source:
        Intel SDM, CVTPS2DQ, masked invalid operation.
    """
    rounded = np.rint(steps).astype(np.float64)
    inside = (rounded >= INT32_MIN) & (rounded < 2.0**31)
    return np.where(inside, rounded, float(INT32_MIN))


def wrap_int32(acc: Array) -> Int32:
    """Two's-complement wrap of integers to int32, eq. (4).

    Exact:
        For integers below 2**63 held in int64, and for float64 integers below 2**53.
    """
    return acc.astype(np.int64).astype(np.int32)


def fused_multiply_add(a: Array, b: Array, c: Array) -> Float32:
    """``fl(a*b + c)`` in float32 with a single rounding.

    The float64 product of two float32 is exact; the float64 sum is rounded to odd (its error by
    TwoSum decides the last bit), so that the second rounding to float32 cannot go wrong.

    Source:
        Boldo and Melquiond, Emulation of FMA and correctly rounded sums, 2008.
    """
    product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    addend = np.asarray(c, np.float64)
    total = np.atleast_1d(product + addend)
    back = total - product
    error = (product - (total - back)) + (addend - back)
    bits = total.view(np.int64)
    odd = (error != 0) & (bits & 1 == 0) & np.isfinite(total)
    away = (error > 0) == (total >= 0)
    adjusted = np.where(odd, np.where(away, bits + 1, bits - 1), bits)
    result = adjusted.view(np.float64).astype(np.float32)
    return result.reshape(np.shape(product + addend))
