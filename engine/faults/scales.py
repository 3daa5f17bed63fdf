"""Faults of scales: the wrong channel's, or the bias's own ignored."""

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.parameters import ConvParameters


def first_scale(p: ConvParameters) -> Array:
    """The scale of channel 0 for all channels."""
    return p.w_scales[:1]


def scale_within_group(p: ConvParameters) -> Array:
    """Channel k reads the scale of channel ``k mod M/groups``."""
    if p.w_scales.size == 1:
        return p.w_scales
    local: Array = p.w_scales[np.arange(p.out_channels) % p.out_per_group]
    return local


def scale_of_channel_before(p: ConvParameters) -> Array:
    """Channel k reads the scale of channel ``k - 1``, the first one that of the last."""
    before: Array = np.roll(p.w_scales, 1)
    return before


def scale_of_block(p: ConvParameters) -> Array:
    """Channel k reads the scale of channel ``8 * (k // 8)``."""
    first: Array = p.w_scales[np.arange(p.w_scales.size) // 8 * 8]
    return first


FAULTS = (
    Fault(
        "F50",
        "the scale of channel 0 is used for every channel",
        "per-channel weights on a per-tensor path",
        lambda p: bool((p.w_scales != p.w_scales[0]).any()),
        {"scales": first_scale},
    ),
    Fault(
        "F51",
        "the scale index counts within the group",
        "apache/tvm#10046; Tencent/ncnn#1304",
        lambda p: bool((scale_within_group(p) != p.w_scales).any()),
        {"scales": scale_within_group},
    ),
    Fault(
        "F52",
        "each channel reads the scale of the channel before it",
        "an index that is shifted by one",
        lambda p: bool((scale_of_channel_before(p) != p.w_scales).any()),
        {"scales": scale_of_channel_before},
    ),
    Fault(
        "F52.block",
        "each channel reads the scale of the first channel of its block of 8",
        "a scale loaded once for a block of lanes",
        lambda p: bool((scale_of_block(p) != p.w_scales).any()),
        {"scales": scale_of_block},
    ),
    Fault(
        "F60",
        "the scale of the bias is ignored: its codes are taken for steps of x_scale * w_scale",
        "ROCm/AMDMIGraphX PR 4521",
        guards_off=("G10/scale",),
    ),
)
