"""Faults of accumulators with too few bits: int16 between flushes."""

from functools import partial

import numpy as np

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

FLUSH = 16
"""Pairs that are added in int16 before the sum moves on to int32."""


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


FAULTS = (
    Fault(
        "F79b",
        "pairs of products are added in an int16 that saturates and is flushed every 16 pairs",
        "pytorch/FBGEMM, kernels that accumulate in 16 bits",
        _can_saturate,
        {"accumulate": partial(saturate_pairs, along_taps, False, flush_rarely)},
    ),
)
