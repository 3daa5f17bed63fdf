"""F79a of matrix products: products of unsigned and signed codes are added in pairs in int16.

As x86 ``vpmaddubsw`` does: ``clip(u0*s0 + u1*s1, -32768, 32767)`` for neighbours along K. Other types
are moved by 128 together with their zero points, and zero points are corrected for exactly.
"""

import numpy as np

from engine.arithmetic import Int32, wrap_int32
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.matmul_stages import MatMulParameters, Sums, multiply


def saturate_pairs(p: MatMulParameters, b: Array) -> Sums:
    """``acc = sum clip(u0*s0 + u1*s1) - uz*sum (s - sz) - sz*sum u``."""
    if p.a_dtype is None:
        return multiply(p, b)
    signed = _signed(p)
    extra = signed - b
    columns = b.sum(axis=-2, dtype=np.int64)
    known = p.a_zero_point.astype(np.int64) + (128 if p.a_dtype == np.int8 else 0)

    def run(a: Array) -> Int32:
        # A zero point found by the run is not in the record; the lowest of its codes is 0.
        shift = known - min(0, int((a + known).min(initial=0)))
        unsigned = a + shift
        total = _sum_pairs(unsigned, signed)
        total -= shift * (
            columns if a.ndim == 1 or columns.ndim == 1 else columns[..., None, :]
        )
        total -= np.matmul(unsigned.astype(np.float64), extra.astype(np.float64)).astype(
            np.int64
        )
        return wrap_int32(total)

    return run


def _signed(p: MatMulParameters) -> Array:
    codes: Array = p.b.astype(np.int64) - (128 if p.b.dtype == np.uint8 else 0)
    return codes


def _sum_pairs(unsigned: Array, signed: Array) -> Array:
    total: Array | int = 0
    for k in range(0, signed.shape[-2], 2):
        some = slice(k, k + 2)
        pair = np.matmul(unsigned[..., some], signed[..., some, :])
        total = total + np.clip(pair, -32768, 32767)
    return np.asarray(total, np.int64)


def can_saturate(p: MatMulParameters) -> bool:
    """Whether some pair of weights can leave int16: equal signs, sum beyond 128."""
    if p.a_dtype is None:
        return False
    signed = _signed(p)
    rest = np.zeros_like(signed[..., :1, :])
    padded = np.concatenate([signed, rest], -2) if signed.shape[-2] % 2 else signed
    first, second = padded[..., ::2, :], padded[..., 1::2, :]
    top = np.maximum(first, 0) + np.maximum(second, 0)
    bottom = np.minimum(first, 0) + np.minimum(second, 0)
    return bool((255 * top > 32767).any() or (255 * bottom < -32768).any())


FAULTS = (
    Fault(
        "F79a.matmul",
        "pairs of products along K saturate to int16",
        "microsoft/onnxruntime#6004; pytorch/pytorch#44939",
        can_saturate,
        {"matmul.accumulate": saturate_pairs},
        record=MatMulParameters,
    ),
)
