"""Faults of scales: the wrong channel's, inverted, doubled, clamped, or the bias's own ignored."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.faults.conv_reach import reach
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.profiles import Prepare, Requantization, Rescaling

Scales = Callable[[ConvParameters], Array]
_ONE, _TWO = np.float32(1), np.float32(2)


def first_scale(p: ConvParameters) -> Array:
    """The scale of channel 0 for all channels."""
    return p.w_scales[:1]


def scale_within_group(p: ConvParameters) -> Array:
    """Channel k reads the scale of channel ``k mod M/groups``."""
    if p.w_scales.size == 1:
        return p.w_scales
    local: Array = p.w_scales[np.arange(p.out_channels) % p.out_per_group]
    return local


def scale_of_group(p: ConvParameters) -> Array:
    """Depthwise channel k reads the scale of channel ``k // (M/C)``."""
    if not _multiplies(p):
        return p.w_scales
    of_group: Array = p.w_scales[np.arange(p.out_channels) // p.out_per_group]
    return of_group


def scale_modulo_inputs(p: ConvParameters) -> Array:
    """Depthwise channel k reads the scale of channel ``k mod C``."""
    if not _multiplies(p):
        return p.w_scales
    wrapped: Array = p.w_scales[np.arange(p.out_channels) % p.groups]
    return wrapped


def scale_of_channel_before(p: ConvParameters) -> Array:
    """Channel k reads the scale of channel ``k - 1``, the first one that of the last."""
    before: Array = np.roll(p.w_scales, 1)
    return before


def scale_of_block(p: ConvParameters) -> Array:
    """Channel k reads the scale of channel ``8 * (k // 8)``."""
    first: Array = p.w_scales[np.arange(p.w_scales.size) // 8 * 8]
    return first


def inverted(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """``ys / (xs*ws)`` for ``xs*ws / ys``."""
    x_scale = np.float32(r.x_scale)
    return prepare(replace(r, x_scale=r.y_scale, w_scale=_ONE / r.w_scale, y_scale=x_scale))


def doubled(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """A shift of one bit less."""
    return prepare(replace(r, x_scale=r.x_scale * _TWO))


def halved(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """A shift of one bit more."""
    return prepare(replace(r, x_scale=r.x_scale / _TWO))


def below_1(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """``min(xs*ws/ys, 1)``."""
    most = np.asarray(r.y_scale / r.x_scale, np.float32)
    return prepare(replace(r, w_scale=np.minimum(r.w_scale, most)))


def _multiplies(p: ConvParameters) -> bool:
    """Whether it is depthwise with several filters for a channel, and a scale for each."""
    return p.groups > 1 and p.in_per_group == 1 and p.out_per_group > 1 and p.w_scales.size > 1


def _rescales(scales: Scales) -> Callable[[ConvParameters], bool]:
    return lambda p: bool((scales(p) != p.w_scales).any())


def _exceeds(p: ConvParameters, steps: float) -> bool:
    return any(each.steps > steps for each in reach(p))


FAULTS = (
    Fault(
        "F50",
        "the scale of channel 0 is used for every channel",
        "per-channel weights on a per-tensor path",
        _rescales(first_scale),
        {"scales": first_scale},
    ),
    Fault(
        "F51",
        "the scale index counts within the group",
        "apache/tvm#10046; Tencent/ncnn#1304",
        _rescales(scale_within_group),
        {"scales": scale_within_group},
    ),
    Fault(
        "F53",
        "a depthwise channel with several filters reads the scale of its group's number",
        "ARM-software/ComputeLibrary#355",
        _rescales(scale_of_group),
        {"scales": scale_of_group},
    ),
    Fault(
        "F53.modulo",
        "a depthwise channel with several filters reads the scale of its number modulo C",
        "ARM-software/ComputeLibrary#355",
        _rescales(scale_modulo_inputs),
        {"scales": scale_modulo_inputs},
    ),
    Fault(
        "F52",
        "each channel reads the scale of the channel before it",
        "an index that is shifted by one",
        _rescales(scale_of_channel_before),
        {"scales": scale_of_channel_before},
    ),
    Fault(
        "F52.block",
        "each channel reads the scale of the first channel of its block of 8",
        "a scale loaded once for a block of lanes",
        _rescales(scale_of_block),
        {"scales": scale_of_block},
    ),
    Fault(
        "F58",
        "scales of the input channels of w are used for its output channels",
        "microsoft/onnxruntime#21712; opencv/opencv 5.x compares lengths only",
        guards_off=("G9/axis",),
    ),
    Fault(
        "F60",
        "the scale of the bias is ignored: its codes are taken for steps of x_scale * w_scale",
        "ROCm/AMDMIGraphX PR 4521",
        guards_off=("G10/scale",),
    ),
    Fault(
        "F60a",
        "the fixed-point shift of a convolution is one off: steps are doubled",
        "google/gemmlowp, multipliers normalised to [1/2, 1)",
        lambda p: _exceeds(p, 1 / 4),
        {"rescaling": doubled},
    ),
    Fault(
        "F60a.halved",
        "the fixed-point shift of a convolution is one off: steps are halved",
        "google/gemmlowp, multipliers normalised to [1/2, 1)",
        lambda p: _exceeds(p, 1 / 2),
        {"rescaling": halved},
    ),
    Fault(
        "F60b",
        "multipliers of a convolution above 1 are clamped to 1",
        "pytorch/QNNPACK requires multipliers below 1",
        lambda p: any(each.multiplier > 1 and each.sums for each in reach(p)),
        {"rescaling": below_1},
    ),
    Fault(
        "F54",
        "the multiplier of a convolution is inverted",
        "scales divided the wrong way round",
        lambda p: any(each.multiplier != 1 and each.sums for each in reach(p)),
        {"rescaling": inverted},
    ),
)
