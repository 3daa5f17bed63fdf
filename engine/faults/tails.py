"""Faults of tails: of what is left where pixels or channels are no multiple of the vector."""

import math
from functools import partial

import numpy as np

from engine.arithmetic import Int32
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.conv_epilogue import ResidualParameters, centre_residual
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Accumulate, multiply_exactly, subtract_zero_points

PIXELS = 8
BLOCK = 8
DEPTH = 4
CHANNELS = 16

Sizes = tuple[int, ...]


def without_last_pixels(y: Array, x: Array, p: ConvParameters) -> Array:
    """The last ``pixels mod 8`` of more than 8 of each channel stay 0."""
    flat = y.reshape(*y.shape[:2], math.prod(y.shape[2:])).copy()
    if flat.shape[2] > PIXELS:
        flat[:, :, flat.shape[2] // PIXELS * PIXELS :] = 0
    return flat.reshape(y.shape)


def without_last_channels(y: Array, x: Array, p: ConvParameters) -> Array:
    """The last ``M mod 16`` of more than 16 channels stay 0."""
    if not _leaves_channels(p):
        return y
    left = y.copy()
    left[:, p.out_channels // CHANNELS * CHANNELS :] = 0
    return left


def in_permuted_order(p: ConvParameters, weights: Array) -> Array:
    """1x1 weights in the order of a vector instruction, read as if they were plain.

    In blocks of 8 by 8 channels, absent ones 0: ``V[4k + c] = w[c, k]`` and
    ``V[32 + 4k + c] = w[c + 4, k]`` for ``c < 4``; ``V[8c + k]`` is read for ``w[c, k]``.
    """
    groups, outer, inner = p.groups, p.out_per_group, p.in_per_group
    blocks_out, blocks_in = -(-outer // BLOCK), -(-inner // BLOCK)
    padded = np.zeros((groups, blocks_out * BLOCK, blocks_in * BLOCK), weights.dtype)
    padded[:, :outer, :inner] = weights.reshape(groups, outer, inner)
    blocks = padded.reshape(groups, blocks_out, BLOCK, blocks_in, 2, BLOCK // 2)
    stored = blocks.transpose(0, 1, 3, 4, 2, 5)  # group, block k, block c, half of c, k, c
    read = stored.reshape(groups, blocks_out, blocks_in, BLOCK, BLOCK)  # ..., c, k
    plain = read.transpose(0, 1, 4, 2, 3).reshape(padded.shape)[:, :outer, :inner]
    return np.ascontiguousarray(plain).reshape(weights.shape)


def tail_in_permuted_order(p: ConvParameters, weights: Array) -> Accumulate:
    """The last ``pixels mod 8`` of a 1x1 convolution read weights by their plain index."""
    exact = multiply_exactly(p, weights)
    if not _is_pointwise(p):
        return exact
    return partial(_sum_tail, exact, multiply_exactly(p, in_permuted_order(p, weights)))


def _sum_tail(
    exact: Accumulate,
    tail: Accumulate,
    padded: Array,
    zero_point: int,
    pads: Sizes,
    out: Sizes,
) -> Int32:
    acc = exact(padded, zero_point, pads, out)
    first = acc.shape[2] // PIXELS * PIXELS
    acc[:, :, first:] = tail(padded, zero_point, pads, out)[:, :, first:]
    return acc


def add_overlap_twice(r: Array, p: ResidualParameters) -> Array:
    """``r - rz``, doubled where the last step of 8 pixels goes over those of the one before.

    The last step begins at ``pixels - 8``, so that it is whole; it adds to what is there already.
    """
    steps = centre_residual(r, p)
    flat = steps.reshape(*steps.shape[:2], math.prod(steps.shape[2:]))
    pixels = flat.shape[2]
    if pixels > PIXELS:
        flat[:, :, pixels - PIXELS : pixels // PIXELS * PIXELS] *= 2
    return flat.reshape(steps.shape)


def without_last_inputs(p: ConvParameters) -> Array:
    """``w - zw``, but 0 for the last ``C/groups mod 4`` of more than 4 input channels."""
    weights = subtract_zero_points(p)
    if p.in_per_group > DEPTH:
        weights[:, p.in_per_group // DEPTH * DEPTH :] = 0
    return weights


def _is_pointwise(p: ConvParameters) -> bool:
    return set(p.kernel + p.strides) == {1}


def _leaves_channels(p: ConvParameters) -> bool:
    return p.out_channels > CHANNELS and p.out_channels % CHANNELS != 0


def _is_permuted(p: ConvParameters) -> bool:
    weights = subtract_zero_points(p)
    return _is_pointwise(p) and bool((in_permuted_order(p, weights) != weights).any())


def _loses_inputs(p: ConvParameters) -> bool:
    return bool((without_last_inputs(p) != subtract_zero_points(p)).any())


FAULTS = (
    Fault(
        "F07",
        "the last pixels, fewer than 8, are not computed and stay 0",
        "Tencent/ncnn PR 1891",
        lambda p: True,
        {"conv.write": without_last_pixels},
    ),
    Fault(
        "F07.channels",
        "the last output channels, fewer than 16, are not computed and stay 0",
        "Tencent/ncnn PR 1891, its tiles as channels",
        _leaves_channels,
        {"conv.write": without_last_channels},
    ),
    Fault(
        "F08",
        "the last pixels of a 1x1 convolution read permuted weights as if they were plain",
        "opencv/opencv 5.x, the tail of its VNNI kernel as it reads",
        _is_permuted,
        {"accumulate": tail_in_permuted_order},
    ),
    Fault(
        "F09",
        "a residual is added twice where the last vector overlaps the one before",
        "tails computed by a last whole vector, in place",
        lambda p: True,
        {"residual.centre": add_overlap_twice},
        record=ResidualParameters,
    ),
    Fault(
        "F10a",
        "the last input channels, fewer than 4, are not summed",
        "apache/tvm PR 13669",
        _loses_inputs,
        {"weights": without_last_inputs},
    ),
)
