"""Faults of scales and zero points that are read once: the first of an axis or of a row serves all."""

from functools import partial
from math import prod

import numpy as np

from engine.faults.blockwise import Shape, axis_fault, is_blocked, moves
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.quantize_granularity import Granularity, axis_of, spread
from engine.kernels.quantize_parameters import QuantizeParameters


def first_of_axis(parameter: Array, shape: Shape, given: Granularity) -> Array:
    """The first of a row of parameters for the whole tensor."""
    return parameter[0] if parameter.ndim == 1 else spread(parameter, shape, given)


def first_of_axis_of_weights(parameter: Array, shape: Shape, given: Granularity) -> Array:
    """The same of weights, which have two axes or more; the row of a bias is right."""
    place = first_of_axis if len(shape) > 1 else spread
    return place(parameter, shape, given)


def first_of_long_blocks(parameter: Array, shape: Shape, given: Granularity) -> Array:
    """The same of blocks as long as their axis, where there is a row of them."""
    is_row = parameter.size == max(parameter.shape, default=1)
    if not is_row or not is_blocked(parameter, shape, given):
        return spread(parameter, shape, given)
    first: Array = parameter.reshape(-1)[0]
    return first


def first_row_of_blocks(
    parameter: Array, shape: Shape, given: Granularity, unwritten: float = 0
) -> Array:
    """Of the axes behind that of the blocks the first parameter serves all, in the first row of a block.

    Its other rows are ``unwritten``. Blocks along what is in fact the last axis are right.
    """
    placed = spread(parameter, shape, given)
    if not is_blocked(parameter, shape, given):
        return placed
    rows = axis_of(parameter, shape, given) + 1
    if prod(shape[rows:]) == 1:
        return placed
    first = placed[(slice(None),) * rows + (slice(1),) * (len(shape) - rows)]
    beside = (-1,) + (1,) * (len(shape) - rows)
    is_first = np.arange(shape[rows - 1]).reshape(beside) % given.block_size == 0
    return np.broadcast_to(np.where(is_first, first, parameter.dtype.type(unwritten)), shape)


FAULTS = (
    axis_fault(
        "F57",
        "the first scale and zero point of an axis are used for the whole tensor",
        "opencv/opencv 5.x reads per-axis parameters with .at(0)",
        first_of_axis,
    ),
    axis_fault(
        "F57.weights",
        "the first scale and zero point of an axis are used for the whole tensor, but not for a bias",
        "openvinotoolkit/openvino: FullyConnected with one scale for each row of its weights, measured",
        first_of_axis_of_weights,
    ),
    Fault(
        "F149",
        "QuantizeLinear writes one row of each block, with the parameters of its first element: others stay 0",
        "opencv/opencv modules/dnn/src/layers/quantlizelinear_layer.cpp",
        moves(first_row_of_blocks),
        {
            "quantize.spread": partial(first_row_of_blocks, unwritten=np.inf),
            "quantize.zero_points": first_row_of_blocks,
        },
        record=QuantizeParameters,
        reads_beside=True,
    ),
    axis_fault(
        "F57.block",
        "of blocks as long as their axis the first scale and zero point are used for the whole tensor",
        "openvinotoolkit/openvino: FullyConnected with one scale for each row of its weights, measured",
        first_of_long_blocks,
    ),
)
