"""Faults of scales and zero points by axis or block: which of them belongs to which element."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.errors import EngineError
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.matmul_nbits import BlockedWeights, block_zero_points, over_blocks
from engine.kernels.quantize_granularity import Granularity, Spread, spread
from engine.kernels.quantize_parameters import DequantizeParameters, QuantizeParameters

Shape = tuple[int, ...]
Linear = QuantizeParameters | DequantizeParameters
Index = Callable[[Array, int, int, int], Array]
"""(positions along the axis, block size, blocks, length) -> the block that each of them reads."""


def tiled(i: Array, size: int, blocks: int, length: int) -> Array:
    """``i mod blocks`` for ``i // size``."""
    return i % blocks


def sizes_exchanged(i: Array, size: int, blocks: int, length: int) -> Array:
    """``i // blocks`` for ``i // size``, as far as there are blocks."""
    block: Array = np.minimum(i // blocks, blocks - 1)
    return block


def whole_blocks_only(i: Array, size: int, blocks: int, length: int) -> Array:
    """The last elements, too few for a block, read the one before."""
    block: Array = np.minimum(i // size, max(length // size, 1) - 1)
    return block


def by_index(index: Index) -> Spread:
    """Parameters in blocks, spread by another index."""

    def place(parameter: Array, shape: Shape, given: Granularity) -> Array:
        correct = spread(parameter, shape, given)
        if not is_blocked(parameter, shape, given):
            return correct
        axis = (given.axis or 0) % len(shape)
        length, blocks = shape[axis], parameter.shape[axis]
        return parameter.take(index(np.arange(length), given.block_size, blocks, length), axis)

    return place


def by_index_in_weights(index: Index) -> Callable[[Array, BlockedWeights], Array]:
    """The same of the packed weights of a product, (N, blocks) to (N, blocks, block_size)."""

    def place(values: Array, w: BlockedWeights) -> Array:
        if values.shape[-1] != w.blocks:
            return over_blocks(values, w)
        i = np.arange(w.blocks * w.block_size).reshape(w.blocks, w.block_size)
        return values[:, np.minimum(index(i, w.block_size, w.blocks, w.depth), w.blocks - 1)]

    return place


def along_the_last_axis(parameter: Array, shape: Shape, given: Granularity) -> Array:
    """Blocks run along the last axis whatever ``axis`` says, where a square lets it pass."""
    return _moved(parameter, shape, given, len(shape) - 1)


def negative_axis_as_0(parameter: Array, shape: Shape, given: Granularity) -> Array:
    """``max(axis, 0)`` of blocks, where a square lets it pass."""
    if given.axis is None or given.axis >= 0:
        return spread(parameter, shape, given)
    return _moved(parameter, shape, given, 0)


def _moved(parameter: Array, shape: Shape, given: Granularity, axis: int) -> Array:
    if not is_blocked(parameter, shape, given):
        return spread(parameter, shape, given)
    turned = parameter.swapaxes(axis, given.axis or 0)
    try:
        return spread(turned, shape, replace(given, axis=axis))
    except EngineError:
        return spread(parameter, shape, given)


def axis_by_rank_of_parameter(parameter: Array, shape: Shape, given: Granularity) -> Array:
    """A negative axis plus the rank of the row of parameters, 1, for that of the data."""
    if parameter.ndim != 1 or given.axis is None or given.axis >= 0:
        return spread(parameter, shape, given)
    try:
        return spread(parameter, shape, replace(given, axis=given.axis + 1))
    except EngineError:
        return spread(parameter, shape, given)


def first_of_blocks(parameter: Array, shape: Shape, given: Granularity) -> Array:
    """The first of all blocks' parameters for the whole tensor."""
    blocked = is_blocked(parameter, shape, given)
    return parameter.reshape(-1)[0] if blocked else spread(parameter, shape, given)


def first_of_weights(w: BlockedWeights) -> Array:
    """The zero point of the first block for all."""
    return block_zero_points(w)[:1, :1]


def is_blocked(parameter: Array, shape: Shape, given: Granularity) -> bool:
    """Whether each block of the data has its own element of ``parameter``."""
    return bool(given.block_size) and 0 < parameter.ndim == len(shape)


def _differ(place: Spread, parameter: Array | None, p: Linear) -> bool:
    """Whether some element of the data reads another parameter; yes where its shape is unknown."""
    shape = p.shape
    if parameter is None or parameter.size == 1:
        return False
    if shape is None:
        return True
    parameter = parameter.astype(np.float32)
    try:
        correct = spread(parameter, shape, p.granularity)
    except EngineError:
        return False
    return bool((place(parameter, shape, p.granularity) != correct).any())


def moves(place: Spread) -> Callable[[Linear | BlockedWeights], bool]:
    """The trigger of ``place``: it reads another parameter for some element."""
    return lambda p: (
        not isinstance(p, BlockedWeights)
        and (_differ(place, p.scale, p) or _differ(place, p.zero_point, p))
    )


def _reads_others(index: Index) -> Callable[[Linear | BlockedWeights], bool]:
    linear, packed = moves(by_index(index)), by_index_in_weights(index)

    def shows(p: Linear | BlockedWeights) -> bool:
        if not isinstance(p, BlockedWeights):
            return linear(p)
        for values in (p.scales, block_zero_points(p)):
            parts = (
                np.broadcast_to(place(values, p), (p.columns, p.blocks, p.block_size))
                for place in (packed, over_blocks)
            )
            found, right = (each.reshape(p.columns, -1)[:, : p.depth] for each in parts)
            if (found != right).any():
                return True
        return False

    return shows


def _has_other_zero_points(p: Linear | BlockedWeights) -> bool:
    if isinstance(p, BlockedWeights):
        zeros = block_zero_points(p)
        return bool((zeros != zeros[0, 0]).any())
    return _differ(first_of_blocks, p.zero_point, p)


def _index_fault(key: str, title: str, source: str, index: Index) -> Fault:
    return Fault(
        key,
        title,
        source,
        _reads_others(index),
        {
            "quantize.spread": by_index(index),
            "dequantize.spread": by_index(index),
            "blocks.spread": by_index_in_weights(index),
        },
        record=(QuantizeParameters, DequantizeParameters, BlockedWeights),
    )


def axis_fault(key: str, title: str, source: str, place: Spread) -> Fault:
    """``place`` in QuantizeLinear and DequantizeLinear."""
    return Fault(
        key,
        title,
        source,
        moves(place),
        {"quantize.spread": place, "dequantize.spread": place},
        record=(QuantizeParameters, DequantizeParameters),
    )


FAULTS = (
    _index_fault(
        "F100",
        "the last, partial block reads the parameters of the block before it",
        "blocks counted as length / block_size without rounding up",
        whole_blocks_only,
    ),
    _index_fault(
        "F99",
        "parameters of blocks are tiled where they must be repeated",
        "openvinotoolkit/openvino PR 32917",
        tiled,
    ),
    _index_fault(
        "F99b",
        "block size and number of blocks are exchanged",
        "openvinotoolkit/openvino PR 32918",
        sizes_exchanged,
    ),
    Fault(
        "F102",
        "the zero point of the first block is used for all blocks",
        "kernels for symmetric blocks",
        _has_other_zero_points,
        {
            "quantize.zero_points": first_of_blocks,
            "dequantize.zero_points": first_of_blocks,
            "blocks.zero_points": first_of_weights,
        },
        record=(QuantizeParameters, DequantizeParameters, BlockedWeights),
    ),
    axis_fault(
        "F101",
        "a negative axis of blocks is taken for axis 0",
        "an axis that is used before it is normalised",
        negative_axis_as_0,
    ),
    axis_fault(
        "F101b",
        "a negative axis is normalised with the rank of the scale",
        "an axis normalised against the wrong tensor",
        axis_by_rank_of_parameter,
    ),
    axis_fault(
        "F100c",
        "blocks run along the last axis of a square, whatever axis says",
        "frameworks whose defaults differ",
        along_the_last_axis,
    ),
)
