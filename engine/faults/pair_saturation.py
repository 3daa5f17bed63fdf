"""F79a: products of unsigned and signed codes are added in pairs that saturate to int16.

x86 ``vpmaddubsw`` computes ``clip(u0*s0 + u1*s1, -32768, 32767)``. Which codes are paired is what
the variants differ in. All of them work on unsigned activations and signed weights (other types
are moved by 128 together with their zero points), read zx in the border, and correct for the zero
points exactly afterwards: ``acc = sum clip(...) - zx*sum s - zw*sum u + K*zx*zw``.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from engine.arithmetic import Int32, wrap_int32
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.geometry import columns
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Accumulate, multiply_exactly, window_of

Pairs = Callable[[ConvParameters], Array | None]
"""Positions (n, 2) along K = (c, *kernel) that are added first, -1 for none; None: exact."""


def in_pairs(order: Array) -> Array:
    """Neighbours (2i, 2i+1) of a sequence of positions; the last may be alone."""
    padded = np.full(order.size + order.size % 2, -1)
    padded[: order.size] = order
    return padded.reshape(-1, 2)


def along_taps(p: ConvParameters) -> Array:
    """(c, *kernel), as im2col of NCHW lays them out."""
    return in_pairs(np.arange(p.w[0].size))


def along_channels(p: ConvParameters) -> Array:
    """(*kernel, c), as im2col of NHWC lays them out."""
    return in_pairs(np.arange(p.w[0].size).reshape(p.w.shape[1], -1).T.reshape(-1))


def depthwise_taps(p: ConvParameters) -> Array | None:
    """Taps in row-major order, in depthwise convolutions only."""
    return along_taps(p) if p.is_depthwise else None


def saturate_pairs(pairs: Pairs, p: ConvParameters, weights: Array) -> Accumulate:
    """The accumulate stage with saturating pairs, where ``pairs`` finds any."""
    found = pairs(p)
    if found is None:
        return multiply_exactly(p, weights)
    signed = signed_weights(p).reshape(p.groups, p.out_per_group, -1)
    moved = signed - weights.reshape(signed.shape)
    zero_points = moved[:, :, :1].astype(np.int64)
    return partial(_add_pairs, p, found, signed, zero_points)


def signed_weights(p: ConvParameters) -> Array:
    """Weight codes as int32 in the signed domain."""
    codes: Array = p.w.astype(np.int32) - (128 if p.w.dtype == np.uint8 else 0)
    return codes


def _add_pairs(
    p: ConvParameters,
    pairs: Array,
    signed: Array,
    zero_points: Array,
    padded: Array,
    zero_point: int,
    out: tuple[int, ...],
) -> Int32:
    shift = 128 if p.x_dtype == np.int8 else 0
    unsigned = columns(padded + np.int16(shift), window_of(p), out, p.groups).astype(np.int32)
    zero_point += shift
    total = np.zeros((padded.shape[0], *signed.shape[:2], unsigned.shape[-1]), np.int64)
    for i, j in pairs:
        pair: Array = signed[:, :, i, None] * unsigned[:, :, None, i]
        if j >= 0:
            pair = pair + signed[:, :, j, None] * unsigned[:, :, None, j]
        total += np.clip(pair, -32768, 32767)
    depth = signed.shape[2]
    total -= zero_point * signed.sum(axis=2, dtype=np.int64)[:, :, None]
    total -= zero_points * unsigned.sum(axis=2, dtype=np.int64)[:, :, None]
    total += depth * zero_point * zero_points
    return wrap_int32(total).reshape(padded.shape[0], p.out_channels, -1)


def can_saturate(pairs: Pairs, p: ConvParameters) -> bool:
    """Whether the codes of some pair of weights can leave int16: equal signs, sum beyond 128."""
    found = pairs(p)
    if found is None or p.w.size == 0:
        return False
    signed = np.pad(signed_weights(p).reshape(p.out_channels, -1), ((0, 0), (0, 1)))
    first, second = signed[:, found[:, 0]], signed[:, found[:, 1]]
    top = np.maximum(first, 0) + np.maximum(second, 0)
    bottom = np.minimum(first, 0) + np.minimum(second, 0)
    return bool((255 * top > 32767).any() or (255 * bottom < -32768).any())


def _fault(key: str, title: str, source: str, pairs: Pairs) -> Fault:
    return Fault(
        key,
        title,
        source,
        partial(can_saturate, pairs),
        {"accumulate": partial(saturate_pairs, pairs)},
    )


FAULTS = (
    _fault(
        "F79a",
        "pairs of products saturate to int16, paired along (c, kh, kw)",
        "pytorch/pytorch#44939; microsoft/onnxruntime#6004",
        along_taps,
    ),
    _fault(
        "F79a.channels",
        "pairs of products saturate to int16, paired along (kh, kw, c)",
        "pytorch/pytorch#44939; microsoft/onnxruntime#16105",
        along_channels,
    ),
    _fault(
        "F79a.depthwise",
        "pairs of taps of a depthwise convolution saturate to int16",
        "pytorch/FBGEMM src/GenerateI8Depthwise.cc",
        depthwise_taps,
    ),
)
