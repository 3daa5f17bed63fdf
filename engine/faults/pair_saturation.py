"""F79a: products of unsigned and signed codes are added in pairs that saturate to int16.

x86 ``vpmaddubsw`` computes ``clip(u0*s0 + u1*s1, -32768, 32767)``. Which codes are paired is what
the variants differ in. All of them work on unsigned activations and signed weights (other types
are moved by 128 together with their zero points), read zx in the border, and correct for the zero
points exactly afterwards: ``acc = sum clip(...) - zx*sum s - zw*sum u + K*zx*zw``.

Measured on CPUs without VNNI: onnxruntime 1.31 (uint8 by int8) is ``dense``, torch 2.13 fbgemm
``channels``, torch 2.13 onednn ``taps``; with VNNI, torch fbgemm is ``depthwise``.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from engine.arithmetic import Int32, wrap_int32
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.geometry import columns, pad_spatial
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Accumulate, multiply_exactly

Pairs = Callable[[ConvParameters], Array | None]
"""Positions (n, 2) along K = (c, *kernel) that are added first, -1 for none; None: exact."""

Add = Callable[[Array, Array, Array], Array]
"""(weights, codes, pairs) -> the sums, in which something saturates."""

INT16 = (-32768, 32767)

_FBGEMM_DEPTHWISE = ((3, 3), (5, 5), (3, 3, 3))


def in_pairs(order: Array) -> Array:
    """Neighbours (2i, 2i+1) along the last axis of positions; the last one may be alone."""
    odd = order.shape[-1] % 2
    padded = np.pad(order, [(0, 0)] * (order.ndim - 1) + [(0, odd)], constant_values=-1)
    return padded.reshape(-1, 2)


def taps_by_channels(p: ConvParameters) -> Array:
    """Positions along (c, *kernel), as (taps, channels)."""
    return np.arange(p.w[0].size).reshape(p.in_per_group, -1).T


def along_taps(p: ConvParameters) -> Array:
    """(c, *kernel), as im2col of NCHW lays them out."""
    return in_pairs(np.arange(p.w[0].size))


def along_channels(p: ConvParameters) -> Array:
    """(*kernel, c), as im2col of NHWC lays them out."""
    return in_pairs(taps_by_channels(p).reshape(-1))


def along_channels_if_dense(p: ConvParameters) -> Array | None:
    """(*kernel, c); exact where a group has one input and one output channel."""
    return None if p.in_per_group == p.out_per_group == 1 else along_channels(p)


def depthwise_taps(p: ConvParameters) -> Array | None:
    """Taps in row-major order, in the depthwise kernels of fbgemm only."""
    special = p.is_depthwise and p.kernel in _FBGEMM_DEPTHWISE and p.groups % 8 == 0
    return (
        along_taps(p) if special and set(p.dilations) == {1} and max(p.strides) <= 2 else None
    )


def within_taps(p: ConvParameters) -> Array | None:
    """Neighbouring channels of one tap; exact in groups whose sizes are no multiples of 4."""
    if p.groups > 1 and (p.in_per_group % 4 or p.out_per_group % 4):
        return None
    return in_pairs(taps_by_channels(p))


def saturate_pairs(
    pairs: Pairs, skips_border: bool, add: Add, p: ConvParameters, weights: Array
) -> Accumulate:
    """The accumulate stage with sums of pairs that saturate, where ``pairs`` finds any."""
    found = pairs(p)
    if found is None:
        return multiply_exactly(p, weights)
    signed = signed_weights(p).reshape(p.groups, p.out_per_group, -1)
    return partial(
        _accumulate,
        p,
        add,
        found,
        skips_border,
        signed,
        signed - weights.reshape(signed.shape),
    )


def signed_weights(p: ConvParameters) -> Array:
    """Weight codes as int32 in the signed domain."""
    codes: Array = p.w.astype(np.int32) - (128 if p.w.dtype == np.uint8 else 0)
    return codes


def _accumulate(
    p: ConvParameters,
    add: Add,
    pairs: Array,
    skips_border: bool,
    signed: Array,
    weight_zero: Array,
    padded: Array,
    zero_point: int,
    pads: tuple[int, ...],
    out: tuple[int, ...],
) -> Int32:
    shift = 128 if p.x_dtype == np.int8 else 0
    codes = columns(padded + np.int16(shift), p.window, out, p.groups).astype(np.int32)
    inside = _inside(p, padded.shape, pads, out) if skips_border else np.ones_like(codes)
    unsigned, counted = codes * inside, inside * (zero_point + shift)
    total = add(signed, unsigned, pairs)
    exact = (signed - weight_zero).astype(np.float64)
    total -= np.matmul(exact, counted.astype(np.float64)).astype(np.int64)
    total -= np.matmul(weight_zero.astype(np.float64), unsigned.astype(np.float64)).astype(
        np.int64
    )
    return wrap_int32(total).reshape(padded.shape[0], p.out_channels, math.prod(out))


def _inside(
    p: ConvParameters, shape: tuple[int, ...], pads: tuple[int, ...], out: tuple[int, ...]
) -> Array:
    """1 where a tap reads the image, 0 in the border; laid out like the columns."""
    half = len(pads) // 2
    image = [s - a - b for s, a, b in zip(shape[2:], pads[:half], pads[half:], strict=True)]
    ones = pad_spatial(np.ones((shape[0], shape[1], *image), np.int32), pads, 0)
    return columns(ones, p.window, out, p.groups)


def sum_saturated(signed: Array, unsigned: Array, pairs: Array) -> Array:
    """``sum clip(u0*s0 + u1*s1)``."""
    total = np.zeros((len(unsigned), *signed.shape[:2], unsigned.shape[-1]), np.int64)
    for pair in saturated_pairs(signed, unsigned, pairs):
        total += pair
    return total


def saturated_pairs(signed: Array, unsigned: Array, pairs: Array) -> Iterator[Array]:
    """``clip(u0*s0 + u1*s1)``, pair by pair."""
    for i, j in pairs:
        pair: Array = signed[:, :, i, None] * unsigned[:, :, None, i]
        if j >= 0:
            pair = pair + signed[:, :, j, None] * unsigned[:, :, None, j]
        yield np.clip(pair, *INT16)


def can_saturate(pairs: Pairs, p: ConvParameters) -> bool:
    """Whether the codes of some pair of weights can leave int16: equal signs, sum beyond 128."""
    found = pairs(p)
    if found is None:
        return False
    signed = np.pad(signed_weights(p).reshape(p.out_channels, -1), ((0, 0), (0, 1)))
    first, second = signed[:, found[:, 0]], signed[:, found[:, 1]]
    top = np.maximum(first, 0) + np.maximum(second, 0)
    bottom = np.minimum(first, 0) + np.minimum(second, 0)
    return bool((255 * top > 32767).any() or (255 * bottom < -32768).any())


def _fault(
    key: str, title: str, source: str, pairs: Pairs, *, skips_border: bool = False
) -> Fault:
    return Fault(
        key,
        title,
        source,
        partial(can_saturate, pairs),
        {"accumulate": partial(saturate_pairs, pairs, skips_border, sum_saturated)},
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
        "pytorch/pytorch#44939; fbgemm without VNNI",
        along_channels,
    ),
    _fault(
        "F79a.dense",
        "pairs of products saturate to int16, paired along (kh, kw, c), depthwise exact",
        "microsoft/onnxruntime#16105; its CPU kernels without VNNI",
        along_channels_if_dense,
    ),
    _fault(
        "F79a.taps",
        "pairs of channels within a tap saturate to int16, the border is skipped",
        "oneDNN without VNNI, as torch ships it",
        within_taps,
        skips_border=True,
    ),
    _fault(
        "F79a.depthwise",
        "pairs of taps of a depthwise convolution saturate to int16",
        "pytorch/FBGEMM src/GenerateI8Depthwise.cc",
        depthwise_taps,
    ),
)
