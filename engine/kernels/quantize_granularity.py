"""Which scale and zero point belong to which element: per tensor, per axis, or in blocks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.errors import InvalidModel
from engine.ir import Array, Node


@dataclass(frozen=True, slots=True)
class Granularity:
    """The attributes of a QuantizeLinear or DequantizeLinear that place its parameters.

    ``axis`` is None where the opset knows one parameter per tensor only; ``block_size`` 0 is none;
    ``says_axis`` tells whether the node does.
    """

    node: str
    axis: int | None
    block_size: int
    says_axis: bool = True


Spread = Callable[[Array, tuple[int, ...], Granularity], Array]
"""(scale or zero point, shape of the data, granularity) -> shaped to broadcast against the data."""


def read_granularity(node: Node, opset: int) -> Granularity:
    """Axis 1 where none is given; before opset 13 none is meant.

    Raises:
        InvalidModel: an axis or block size that is no integer, a negative block size.
    """
    where = f"{node.op} {node.id!r}"
    axis = node.attributes.get("axis", 1 if opset >= 13 else None)
    block_size = node.attributes.get("block_size", 0)
    if not isinstance(axis, int | None):
        raise InvalidModel(f"{where}: axis must be an integer, got {axis!r}")
    if not isinstance(block_size, int) or block_size < 0:
        raise InvalidModel(f"{where}: block_size must be 0 or more, got {block_size!r}")
    return Granularity(where, axis, block_size, "axis" in node.attributes)


def spread(parameter: Array, shape: tuple[int, ...], given: Granularity) -> Array:
    """One parameter as a scalar, one a channel along the axis, or one a block repeated.

    Element i of the blocked axis uses block ``i // block_size``; the last block may be partial.

    Shapes:
        ``parameter`` () or (1), (shape[axis]), or ``shape`` with ceil(shape[axis]/block_size) on
        the axis -> something that broadcasts to ``shape``.

    Raises:
        InvalidModel: a parameter of any other shape.

    Source:
        ONNX QuantizeLinear-21.
    """
    if parameter.ndim == 0:
        return parameter
    if given.block_size and parameter.ndim == len(shape):
        return _repeat(parameter, shape, given)
    if parameter.size == 1:
        return parameter.reshape(())
    axis = axis_of(parameter, shape, given)
    if parameter.ndim != 1 or shape[axis] != parameter.size:
        need = " (blocks need block_size)" if parameter.ndim > 1 else ""
        raise InvalidModel(
            f"{given.node}: parameters of shape {parameter.shape} on axis {given.axis} of a tensor "
            f"of shape {shape}{need}"
        )
    return parameter.reshape((-1,) + (1,) * (len(shape) - 1 - axis))


def axis_of(parameter: Array, shape: tuple[int, ...], given: Granularity) -> int:
    """The axis that the parameters lie along, from the front."""
    axis, rank = given.axis, len(shape)
    if axis is None:
        raise InvalidModel(
            f"{given.node}: a parameter of shape {parameter.shape} needs opset 13"
        )
    if not -rank <= axis < rank:
        raise InvalidModel(f"{given.node}: axis {axis} of a tensor of shape {shape}")
    return axis % rank


def _repeat(parameter: Array, shape: tuple[int, ...], given: Granularity) -> Array:
    axis, size = axis_of(parameter, shape, given), given.block_size
    blocks = -(-shape[axis] // size)
    wanted = (*shape[:axis], blocks, *shape[axis + 1 :])
    if parameter.shape != wanted:
        raise InvalidModel(
            f"{given.node}: parameters of shape {parameter.shape} for blocks of {size} on axis "
            f"{given.axis} of a tensor of shape {shape}; they must have shape {wanted}"
        )
    size = min(size, max(shape[axis], 1))
    split = (*shape[:axis], blocks, size, *shape[axis + 1 :])
    whole = (*shape[:axis], blocks * size, *shape[axis + 1 :])
    repeated = np.broadcast_to(np.expand_dims(parameter, axis + 1), split).reshape(whole)
    return repeated[(slice(None),) * axis + (slice(shape[axis]),)]


def run_lengths(parameter: Array, shape: tuple[int, ...], given: Granularity) -> Array:
    """How many neighbouring elements (in memory) share one parameter, run after run.

    Shapes:
        ``parameter`` as it is stored -> (runs,), whose sum is the number of elements.
    """
    total = int(np.prod(shape))
    if parameter.size == 1 or total == 0:
        return np.array([total])
    axis = axis_of(parameter, shape, given)
    inner = int(np.prod(shape[axis + 1 :]))
    if not given.block_size:
        return np.full(total // inner, inner)
    if inner > 1:
        return np.full(total // inner, inner)
    whole, rest = divmod(shape[axis], given.block_size)
    row = [given.block_size] * whole + [rest] * (rest > 0)
    return np.tile(row, total // shape[axis])


def lonely(parameter: Array, shape: tuple[int, ...], given: Granularity, packed: int) -> Array:
    """The elements whose byte is not filled by codes of their own run, as flat indices.

    ``packed`` codes fill a byte of the whole tensor; a run shares one parameter.
    """
    lengths = run_lengths(parameter, shape, given)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    first = np.minimum(-(-starts // packed) * packed, ends)
    last = np.maximum(ends // packed * packed, first)
    return np.concatenate([_ranges(starts, first), _ranges(last, ends)])


def _ranges(starts: Array, ends: Array) -> Array:
    """``starts[i]`` to ``ends[i] - 1`` for every i, one behind the other."""
    lengths = ends - starts
    before = np.cumsum(lengths) - lengths
    found: Array = np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
    return found
