"""Integer convolution in blocks of 8 channels.

One task per (image, group, block of 8 output channels) computes 8 lanes for all pixels and
writes them to one 8-lane block of the output. Weights are packed
``[group][Kblk][8 out][C1][8 in][tap]``, absent lanes are 0, and the zero point of x is folded:

    sum (x - zx)(w - zw) + b = sum x(w - zw) + (b - zx * sum(w - zw))

which holds because the border is materialised with zx. A task's first channel ``base`` must be a
multiple of 8 for its lanes to be the block's lanes; that is guard G16, and nothing here repeats it.
"""

import math

import numpy as np

from engine.arithmetic import wrap_int32
from engine.ir import Array
from engine.kernels.convolution import finisher, prepare_rescaling
from engine.kernels.geometry import Window, columns
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import LANES, Stages, largest_sum
from engine.kernels.strips import Piece
from engine.profiles import Profile


def blocked_convolution(p: ConvParameters, stages: Stages, profile: Profile) -> Piece:
    """As ``plain_convolution``, in blocks of 8 channels.

    Shapes:
        ``x`` (N, C, *S) -> ``y`` (N, M, *out); inside, sums are (N, tasks, 8, pixels).
    """
    weights = stages.weights(p)
    packed, wraps = _pack(weights, p)
    base = first_channels(p)
    fold = _by_lane(weights.reshape(p.out_channels, -1).sum(axis=1, dtype=np.int32), base)
    bias = stages.bias(p)
    bias = None if bias is None else _by_lane(bias, base)
    scale = stages.scales(p)
    scale = scale.reshape(()) if scale.size == 1 else _by_lane(scale, base)
    usual = p.x_zero_point * fold
    finish = finisher(p, stages, prepare_rescaling(p, stages, profile, scale, bias))
    window, border = p.window, stages.border(p)

    def piece(x: Array, pads: tuple[int, ...], out: tuple[int, ...]) -> Array:
        padded, zero_point = stages.pad(x, p, pads, border)
        sums = np.matmul(packed, _patches(padded, window, out, packed))
        acc = wrap_int32(sums) if wraps else sums.astype(np.int32)
        acc = acc.reshape(x.shape[0], len(base), LANES, math.prod(out))
        if zero_point:
            acc -= usual if zero_point == p.x_zero_point else zero_point * fold
        codes = stages.store(finish(acc), base, p.out_channels)
        return codes.reshape(x.shape[0], p.out_channels, *out)

    return piece


def first_channels(p: ConvParameters) -> list[int]:
    """The output channel in lane 0 of each task, groups in order, blocks in order."""
    size = p.out_per_group
    return [g * size + k for g in range(p.groups) for k in range(0, size, LANES)]


def _by_lane(values: Array, base: list[int]) -> Array:
    """Channel parameters as the tasks read them: 8 from the task's first channel on.

    Past the last channel there are zeros, or the last scale.
    """
    if len(base) * LANES == values.size:
        return values.reshape(-1, LANES, 1)
    beyond = max(base[-1] + LANES - values.size, 0)
    fill = values[-1] if values.dtype == np.float32 else 0
    values = np.append(values, np.full(beyond, fill, values.dtype))
    by_lane: Array = values[np.array(base)[:, None, None] + np.arange(LANES)[:, None]]
    return by_lane


def _pack(weights: Array, p: ConvParameters) -> tuple[Array, bool]:
    """``[group][Kblk * 8 out][C1 * 8 in * tap]``, and whether sums may leave int32."""
    taps, inner, outer = math.prod(p.kernel), p.in_per_group, p.out_per_group
    bound = largest_sum(weights)
    packed = np.zeros(
        (p.groups, _whole_blocks(outer), _whole_blocks(inner), taps),
        np.float32 if bound < 2**24 else np.float64,
    )
    packed[:, :outer, :inner] = weights.reshape(p.groups, outer, inner, taps)
    return packed.reshape(p.groups, _whole_blocks(outer), -1), bound >= 2**31


def _whole_blocks(channels: int) -> int:
    return -(-channels // LANES) * LANES


def _patches(padded: Array, window: Window, out: tuple[int, ...], packed: Array) -> Array:
    """The windows of the blocked image as (N, group, C1 * 8 * tap, pixels), absent lanes 0."""
    n, image, groups = len(padded), padded.shape[2:], len(packed)
    inner, lanes = padded.shape[1] // groups, packed.shape[2] // math.prod(window.kernel)
    blocked = padded.astype(packed.dtype, order="C")
    if inner < lanes:
        lone = blocked.reshape(n, groups, inner, *image)
        blocked = np.zeros((n, groups, lanes, *image), packed.dtype)
        blocked[:, :, :inner] = lone
    return columns(blocked.reshape(n, groups * lanes, *image), window, out, groups)
