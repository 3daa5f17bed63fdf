"""Integer convolution in blocks of 8 channels (NC1HWC0 with C0 = K0 = 8).

One task per (image, group, block of 8 output channels) computes 8 lanes for all pixels and
writes them to one 8-lane block of the output. Weights are packed
``[group][Kblk][tap][C1][8 in][8 out]``, absent lanes are 0, and the zero point of x is folded:

    sum (x - zx)(w - zw) + b = sum x(w - zw) + (b - zx * sum(w - zw))

which holds because the border is materialised with zx. A task's first channel ``base`` must be a
multiple of 8 for its lanes to be the block's lanes; that is guard G16, and nothing here repeats it.
"""

import math

import numpy as np

from engine.arithmetic import wrap_int32
from engine.ir import Array
from engine.kernels.convolution import finisher, prepare_rescaling
from engine.kernels.geometry import Window, windows
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Stages, largest_sum
from engine.kernels.strips import Piece
from engine.profiles import Profile

_LANES = 8


def blocked_convolution(p: ConvParameters, stages: Stages, profile: Profile) -> Piece:
    """As ``plain_convolution``, in blocks of 8 channels.

    Shapes:
        ``x`` (N, C, *S) -> ``y`` (N, M, *out); inside, sums are (N, tasks, pixels, 8).
    """
    weights = stages.weights(p)
    packed, wraps = _pack(weights, p)
    side_by_side = packed.transpose(0, 2, 1, 3).reshape(p.groups, packed.shape[2], -1)
    base = first_channels(p)
    fold = _by_lane(weights.reshape(p.out_channels, -1).sum(axis=1, dtype=np.int32), base)
    bias = None if p.bias is None else _by_lane(p.bias, base)
    scale = stages.scales(p)
    scale = scale.reshape(()) if scale.size == 1 else _by_lane(scale, base)
    finish = finisher(p, stages, prepare_rescaling(p, profile, scale, bias))
    window = p.window

    def piece(x: Array, pads: tuple[int, ...], out: tuple[int, ...]) -> Array:
        padded, zero_point = stages.pad(x, p, pads)
        sums = _tasks(np.matmul(_patches(padded, window, out, packed), side_by_side))
        acc = wrap_int32(sums) if wraps else sums.astype(np.int32, order="C")
        acc = acc.reshape(x.shape[0], len(base), math.prod(out), _LANES)
        if zero_point:
            acc -= zero_point * fold
        return store(finish(acc), base, p.out_channels).reshape(
            x.shape[0], p.out_channels, *out
        )

    return piece


def first_channels(p: ConvParameters) -> list[int]:
    """The output channel in lane 0 of each task, groups in order, blocks in order."""
    size = p.out_per_group
    return [g * size + k for g in range(p.groups) for k in range(0, size, _LANES)]


def store(codes: Array, base: list[int], channels: int) -> Array:
    """Each task's 8 lanes into the block of its first channel; later tasks overwrite.

    Shapes:
        ``codes`` (N, tasks, pixels, 8) -> (N, channels, pixels).
    """
    blocks = -(-channels // _LANES)
    out = np.zeros((codes.shape[0], blocks, codes.shape[2], _LANES), codes.dtype)
    for task, channel in enumerate(base):
        out[:, channel // _LANES] = codes[:, task]
    lanes_first = out.transpose(0, 1, 3, 2).reshape(codes.shape[0], blocks * _LANES, -1)
    return lanes_first[:, :channels]


def _by_lane(values: Array, base: list[int]) -> Array:
    """Channel parameters as the tasks read them: 8 from the task's first channel on.

    Past the last channel there are zeros, or the last scale.
    """
    if len(base) * _LANES == values.size:
        return values.reshape(-1, 1, _LANES)
    beyond = max(base[-1] + _LANES - values.size, 0)
    fill = values[-1] if values.dtype == np.float32 else 0
    values = np.append(values, np.full(beyond, fill, values.dtype))
    by_lane: Array = values[np.array(base)[:, None, None] + np.arange(_LANES)]
    return by_lane


def _pack(weights: Array, p: ConvParameters) -> tuple[Array, bool]:
    """``[group][Kblk][tap * C1 * 8 in][8 out]``, and whether sums may leave int32."""
    taps, inner = math.prod(p.kernel), p.in_per_group
    blocks, slices = -(-p.out_per_group // _LANES), -(-inner // _LANES)
    bound = largest_sum(weights)
    packed = np.zeros(
        (p.groups, blocks, taps, slices * _LANES, _LANES),
        np.float32 if bound < 2**24 else np.float64,
    )
    by_group = weights.reshape(p.groups, p.out_per_group, inner, taps).transpose(0, 3, 2, 1)
    for block in range(blocks):
        tile = by_group[..., block * _LANES : (block + 1) * _LANES]
        packed[:, block, :, :inner, : tile.shape[3]] = tile
    return packed.reshape(p.groups, blocks, taps * slices * _LANES, _LANES), bound >= 2**31


def _tasks(sums: Array) -> Array:
    """The sums of all blocks, computed side by side, task by task.

    One product with the weights of all blocks reads each patch once. Shapes: (N, group, pixels,
    Kblk * 8) -> (N, group, Kblk, pixels, 8).
    """
    return sums.reshape(*sums.shape[:3], -1, _LANES).swapaxes(2, 3)


def _patches(padded: Array, window: Window, out: tuple[int, ...], packed: Array) -> Array:
    """The windows of the blocked image as (N, group, pixels, tap * C1 * 8), absent lanes 0."""
    n, image = len(padded), padded.shape[2:]
    groups, depth = packed.shape[0], packed.shape[2]
    lanes = depth // math.prod(window.kernel)
    blocked = np.zeros((n, groups, *image, lanes), packed.dtype)
    inner = padded.shape[1] // groups
    rows = padded.reshape(n, groups, inner, -1).transpose(0, 1, 3, 2)
    blocked.reshape(n, groups, -1, lanes)[..., :inner] = rows
    view = windows(blocked, window, out)
    return view.reshape(n, groups, math.prod(out), depth)
