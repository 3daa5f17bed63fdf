"""Faults of accumulators with too few bits: int16 between flushes, float32 before rescaling."""

from dataclasses import replace
from functools import partial

import numpy as np

from engine.faults.conv_reach import reach
from engine.faults.fault import Fault
from engine.faults.pair_saturation import (
    INT16,
    along_taps,
    saturate_pairs,
    saturated_pairs,
    signed_weights,
)
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.profiles import Prepare, Requantization, Rescaling

FLUSH = 16
"""Pairs that are added in int16 before the sum moves on to int32."""

_EXACT = 2**24
_CODES = 256


def flush_rarely(signed: Array, unsigned: Array, pairs: Array) -> Array:
    """Pairs added to an int16 that saturates at every step and is flushed after 16 of them."""
    shape = (len(unsigned), *signed.shape[:2], unsigned.shape[-1])
    total, running = np.zeros(shape, np.int64), np.zeros(shape, np.int32)
    for count, pair in enumerate(saturated_pairs(signed, unsigned, pairs), 1):
        running = np.clip(running + pair, *INT16)
        if count % FLUSH == 0:
            total += running
            running = np.zeros(shape, np.int32)
    return total + running


def in_float32(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """``fl(acc) * xs*ws/ys``: from 2**24 up, sums lose their last bits."""
    rescaling = prepare(r)

    def steps(acc: Array) -> Array:
        return rescaling.steps(acc.astype(np.float32).astype(np.int64))

    return replace(rescaling, steps=steps)


def _can_saturate(p: ConvParameters) -> bool:
    """Whether the codes of some pairs up to a flush can leave int16."""
    pairs = along_taps(p)
    signed = np.pad(signed_weights(p).reshape(p.out_channels, -1), ((0, 0), (0, 1)))
    return any(
        _leaves(255 * np.clip(part, 0, None)) or _leaves(255 * np.clip(part, None, 0))
        for part in (
            signed[:, pairs[first : first + FLUSH].reshape(-1)]
            for first in range(0, len(pairs), FLUSH)
        )
    )


def _leaves(products: Array) -> bool:
    sums = products.sum(axis=1)
    return bool((sums < INT16[0]).any() or (sums > INT16[1]).any())


def _loses_bits(p: ConvParameters) -> bool:
    """Whether sums above 2**24 still give codes that are not clipped."""
    return any(
        each.sums > _EXACT and each.fractions and each.multiplier * _EXACT < _CODES
        for each in reach(p)
    )


FAULTS = (
    Fault(
        "F79b",
        "pairs of products are added in an int16 that saturates and is flushed every 16 pairs",
        "pytorch/FBGEMM, kernels that accumulate in 16 bits",
        _can_saturate,
        {"accumulate": partial(saturate_pairs, along_taps, False, flush_rarely)},
    ),
    Fault(
        "F60d",
        "sums of a convolution become float32 before they are scaled, which rounds them above 2**24",
        "onnxruntime core/mlas/lib/quantize.cpp and its like convert sums to float32",
        _loses_bits,
        {"rescaling": in_float32},
    ),
)
