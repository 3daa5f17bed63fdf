"""A product in parts, so that what is wide inside a kernel stays small beside the codes."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from engine.ir import Array

BLOCK = 3 << 15
"""Sums that are worked on at a time."""
_ROWS = 64
"""Fewer rows than that would make each part of a matrix product slow."""
_DEEPEST = 2**24
_REACH = 256
"""Above every ``|qa - az|``, whatever a fault makes of it."""

Run = Callable[[Array], Array]


def exact_parts(b: Array) -> tuple[slice, ...]:
    """K in as few parts as float32 sums exactly: ``256 * sum|b| < 2**24`` in every column of each.

    Shapes:
        ``b`` (..., K, N), float32 integers.
    """
    depth = b.shape[-2]
    if not b.size or _REACH * _REACH * depth < _DEEPEST:
        return (slice(0, depth),)
    size = np.abs(b)
    count = int(_REACH * size.sum(axis=-2, dtype=np.float64).max() // _DEEPEST) + 1
    while not _fits(size, _parts(depth, count)):
        count += 1
    return _parts(depth, count)


def _parts(depth: int, count: int) -> tuple[slice, ...]:
    ends = [depth * i // count for i in range(count + 1)]
    return tuple(map(slice, ends, ends[1:]))


def _fits(size: Array, parts: tuple[slice, ...]) -> bool:
    sums = (size[..., part, :].sum(axis=-2, dtype=np.float64).max() for part in parts)
    return all(_REACH * each < _DEEPEST for each in sums)


def by_rows(a: Array, columns: int, dtype: np.dtype[Any], run: Run) -> Array:
    """``run`` over the rows of ``a`` (..., K), a block at a time; b is one matrix."""
    rows = a.reshape(-1, a.shape[-1]) if a.size else a
    most = max(BLOCK // max(columns, 1), _ROWS)
    if not a.size or len(rows) <= most:
        return run(a)
    step = -(-len(rows) // -(-len(rows) // most))  # blocks of equal height
    y = np.empty((len(rows), columns), dtype)
    for start in range(0, len(rows), step):
        y[start : start + step] = run(rows[start : start + step])
    return y.reshape(*a.shape[:-1], columns)


def batches(
    a_shape: tuple[int, ...], b_shape: tuple[int, ...]
) -> Iterator[int] | Iterator[slice] | None:
    """Parts of the leading axis that are worth a kernel each; None: all at once is small.

    A part that is a single matrix, or batch of them, loses the axis.
    """
    shape = np.broadcast_shapes(a_shape[:-2], b_shape[:-2])
    each = int(np.prod(shape[1:])) * a_shape[-2] * b_shape[-1]
    if 0 in shape or shape[0] * each <= BLOCK:
        return None
    step = BLOCK // max(each, 1)
    if step <= 1:
        return iter(range(shape[0]))
    return (slice(start, start + step) for start in range(0, shape[0], step))


def part_of(array: Array, part: int | slice, rank: int) -> Array:
    """That part of the leading axis of the widest operand; an axis of 1 serves all."""
    if array.ndim < rank:
        return array
    if len(array) > 1:
        part_of_many: Array = array[part]
        return part_of_many
    return array if isinstance(part, slice) else array[0]


def joined(parts: list[Array], single: bool) -> Array:
    """The parts as one batch again."""
    return np.stack(parts) if single else np.concatenate(parts)
