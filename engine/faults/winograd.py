"""F79e: Winograd's transforms kept in too few bits.

``Y = A^T [sum_c (G w G^T) * (B^T d B)] A`` for tiles of a 3x3 convolution; with integer matrices Y
is the sum times ``scale ** 2``, exactly. The transformed tiles and weights are wrapped to the type they are
kept in; the result is divided by ``scale ** 2`` and rounded down.

Source:
    Lavin, Gray: Fast Algorithms for Convolutional Neural Networks, 2016, sections 4.1 and 4.3.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from engine.arithmetic import Int32, wrap_int32
from engine.faults.fault import Fault
from engine.faults.geometry import is_winograd
from engine.ir import Array
from engine.kernels.geometry import pad_spatial
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Accumulate, multiply_exactly, subtract_zero_points

TAPS = 3
Sizes = tuple[int, ...]
Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Transform:
    """F(m, 3): ``B^T`` of inputs, ``scale * G`` of weights, ``A^T`` of outputs; their types."""

    of_inputs: Matrix
    of_weights: Matrix
    of_outputs: Matrix
    scale: int
    inputs: type[np.signedinteger[Any]] = np.int64
    weights: type[np.signedinteger[Any]] = np.int64

    @property
    def tile(self) -> int:
        """m: outputs along a side of a tile."""
        return len(self.of_outputs)


_F2 = (
    ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    ((2, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 2)),
    ((1, 1, 1, 0), (0, 1, -1, -1)),
    2,
)
_F4 = (
    (
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    ),
    ((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 24)),
    ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
    24,
)
INPUTS_IN_INT8 = Transform(*_F2, inputs=np.int8)
WEIGHTS_IN_INT8 = Transform(*_F2, weights=np.int8)
WEIGHTS_IN_INT16 = Transform(*_F4, weights=np.int16)


def transformed(matrix: Matrix, blocks: Array, kept: type[Any]) -> Array:
    """``M block M^T`` over the last two axes, wrapped to the type in which it is kept, as int64."""
    m = np.array(matrix, np.int64)
    found: Array = np.matmul(np.matmul(m, blocks.astype(np.int64)), m.T)
    return found.astype(kept).astype(np.int64)


def sum_by_transform(t: Transform, p: ConvParameters, weights: Array) -> Accumulate:
    """The accumulate stage by Winograd's transform, for 3x3 kernels of stride 1."""
    if not is_winograd(p):
        return multiply_exactly(p, weights)
    grouped = weights.reshape(p.groups, p.out_per_group, p.in_per_group, TAPS, TAPS)
    return partial(_sum, t, transformed(t.of_weights, grouped, t.weights))


def _sum(
    t: Transform, weights: Array, padded: Array, zero_point: int, pads: Sizes, out: Sizes
) -> Int32:
    groups, inner = weights.shape[0], weights.shape[2]
    tiles = [-(-size // t.tile) for size in out]
    blocks = transformed(t.of_inputs, _tiles(t, padded, zero_point, tiles), t.inputs)
    blocks = blocks.reshape(len(padded), groups, inner, *blocks.shape[2:])
    sums = np.einsum("gkcij,ngctuij->ngktuij", weights, blocks)
    whole = transformed(t.of_outputs, sums, np.int64) // t.scale**2
    rows = whole.reshape(len(padded), -1, *whole.shape[3:]).swapaxes(3, 4)
    image = rows.reshape(*rows.shape[:2], tiles[0] * t.tile, tiles[1] * t.tile)
    acc = wrap_int32(image[:, :, : out[0], : out[1]])
    return acc.reshape(*acc.shape[:2], -1)


def _tiles(t: Transform, padded: Array, zero_point: int, tiles: list[int]) -> Array:
    """The overlapping tiles of the image in steps, (N, C, rows, columns, m + 2, m + 2)."""
    side = t.tile + TAPS - 1
    reach = [count * t.tile + TAPS - 1 for count in tiles]
    lacking = [max(r - size, 0) for r, size in zip(reach, padded.shape[2:], strict=True)]
    whole = pad_spatial(padded, (0, 0, *lacking), zero_point) - np.int16(zero_point)
    found = np.lib.stride_tricks.sliding_window_view(whole, (side, side), axis=(2, 3))
    return found[:, :, :: t.tile, :: t.tile][:, :, : tiles[0], : tiles[1]]


def _weights_wrap(t: Transform, p: ConvParameters) -> bool:
    if not is_winograd(p):
        return False
    w = subtract_zero_points(p)
    wrapped, exact = (transformed(t.of_weights, w, kept) for kept in (t.weights, np.int64))
    return bool((wrapped != exact).any())


FAULTS = (
    Fault(
        "F79e",
        "inputs in Winograd's F(2,3) wrap to int8",
        "Tencent/ncnn PR 891; apache/tvm PR 5363",
        lambda p: is_winograd(p) and bool(subtract_zero_points(p).any()),
        {"accumulate": partial(sum_by_transform, INPUTS_IN_INT8)},
    ),
    Fault(
        "F79e.weights",
        "weights in Winograd's F(2,3) wrap to int8",
        "Tencent/ncnn PR 1354",
        partial(_weights_wrap, WEIGHTS_IN_INT8),
        {"accumulate": partial(sum_by_transform, WEIGHTS_IN_INT8)},
    ),
    Fault(
        "F79e.f43",
        "weights in Winograd's F(4,3) wrap to int16",
        "Tencent/ncnn PR 1354, where weights are larger than its converter makes them",
        partial(_weights_wrap, WEIGHTS_IN_INT16),
        {"accumulate": partial(sum_by_transform, WEIGHTS_IN_INT16)},
    ),
)
