"""F158: a border that is filled tap by tap, and only where a tap of the first axis is outside.

A grouped convolution of three axes with a zero point lays out its taps in a buffer of code 0. A tap
of the first axis that is outside fills its whole part with the zero point; one that is inside writes
the image alone, and beside it stays what was there. The buffer is used again for the next position
along that axis, the next group and the next image: from the first time on that a tap was outside,
its part is right.
"""

import numpy as np

from engine.arithmetic import Int32, wrap_int32
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Accumulate, multiply_exactly

Sizes = tuple[int, ...]

_AXES = 3


def with_stale_borders(p: ConvParameters, weights: Array) -> Accumulate:
    """``acc - zx * (sum of w over taps whose border still holds code 0)``."""
    exact = multiply_exactly(p, weights)
    taps = weights.sum(axis=1, dtype=np.int64)  # (M, *kernel): real 0 in every channel

    def accumulate(padded: Array, zero_point: int, pads: Sizes, out: Sizes) -> Int32:
        acc = exact(padded, zero_point, pads, out)
        if not acc.size or not may_be_stale(p):
            return acc
        image = tuple(
            size - pads[i] - pads[i + _AXES] for i, size in enumerate(padded.shape[2:])
        )
        outside = [_outside(p, i, pads[i], image[i], out[i]) for i in range(_AXES)]
        sums = np.einsum("mdhw,hwyx->mdyx", taps, _beside(*outside[1:]))
        stale, first = _stale(outside[0])
        wide = acc.astype(np.int64).reshape(*acc.shape[:2], *out)
        wide -= zero_point * np.einsum("mdyx,dz->mzyx", sums, stale)
        group = slice(0, p.out_per_group)
        wide[0, group] -= zero_point * np.einsum("mdyx,dz->mzyx", sums[group], first)
        return wrap_int32(wide.reshape(acc.shape))

    return accumulate


def _outside(p: ConvParameters, axis: int, begin: int, size: int, out: int) -> Array:
    """Whether a tap of an axis is outside the image at a place of the output, (kernel, out)."""
    taps = np.arange(p.window.kernel[axis])[:, None] * p.window.dilations[axis]
    places = np.arange(out) * p.window.strides[axis] - begin + taps
    return (places < 0) | (places >= size)


def _beside(rows: Array, columns: Array) -> Array:
    """Whether a tap is outside along either of two axes, (*kernel, *out)."""
    either = rows[:, None, :, None] | columns[None, :, None, :]
    return either.astype(np.int64)


def _stale(outside: Array) -> tuple[Array, Array]:
    """Where a tap inside never was outside; and where it only was not yet, in the first of all groups."""
    ever = outside.any(axis=1, keepdims=True)
    before = ~np.logical_or.accumulate(outside, axis=1)
    never = ~outside & ~ever
    return never.astype(np.int64), (before & ever).astype(np.int64)


def may_be_stale(p: ConvParameters) -> bool:
    """Whether groups of three axes have a border beside an image whose code 0 is not real 0."""
    return p.groups > 1 and len(p.window.kernel) == _AXES and p.may_pad and p.x_zero_point != 0


FAULTS = (
    Fault(
        "F158",
        "in a grouped 3-D convolution code 0 is beside the image until a tap was above or below it",
        "oneDNN's int8 convolution by matrix products, in openvinotoolkit/openvino, measured",
        may_be_stale,
        {"accumulate": with_stale_borders},
    ),
)
