"""Pools by the book: one window after the other, one tap after the other, in Python."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.engine.models import Array


@dataclass(frozen=True, slots=True)
class Seen:
    """What one window sees: values and flat places inside the image, and taps inside the pads too."""

    values: list[Any]
    places: list[int]
    padded: int


def out_size(
    size: int, k: int, stride: int, dilation: int, pads: tuple[int, int], ceil: bool
) -> int:
    """Positions of a window whose first tap lies in front of the end pad, counted one by one."""
    extent = dilation * (k - 1) + 1
    count, start = 0, -pads[0]
    while start + extent <= size + pads[1]:
        count, start = count + 1, start + stride
    missing = (size + sum(pads) - extent) % stride
    if ceil and missing and start < size:
        count += 1
    return count


def windows_of(
    plane: Array,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    pads: tuple[int, ...],
    ceil: bool = False,
) -> tuple[tuple[int, ...], list[Seen]]:
    """The output's shape and what each of its windows sees, in row-major order."""
    rank = plane.ndim
    out = tuple(
        out_size(
            plane.shape[i],
            kernel[i],
            strides[i],
            dilations[i],
            (pads[i], pads[i + rank]),
            ceil,
        )
        for i in range(rank)
    )
    found = []
    for position in itertools.product(*(range(n) for n in out)):
        seen = Seen([], [], 0)
        padded = 0
        for tap in itertools.product(*(range(k) for k in kernel)):
            at = [
                position[i] * strides[i] + tap[i] * dilations[i] - pads[i] for i in range(rank)
            ]
            if all(0 <= each < n for each, n in zip(at, plane.shape, strict=True)):
                seen.values.append(plane[tuple(at)])
                seen.places.append(int(np.ravel_multi_index(at, plane.shape)))
            padded += all(
                -pads[i] <= at[i] < plane.shape[i] + pads[i + rank] for i in range(rank)
            )
        found.append(Seen(seen.values, seen.places, padded))
    return out, found
