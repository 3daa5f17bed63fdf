"""Faults of means and sums of codes: what a window adds, what it is divided by, whose codes come out."""

from dataclasses import replace
from typing import Protocol

import numpy as np

from engine.arithmetic import RANGES, round_half_even
from engine.faults.fault import Fault
from engine.faults.pad_origin import by_origin
from engine.faults.pools import (
    Windows,
    beyond,
    is_lopsided,
    may_overhang,
    may_pad,
    pads_swapped,
)
from engine.ir import Array
from engine.kernels.average_parameters import AverageParameters
from engine.kernels.average_stages import subtract_zero_points
from engine.kernels.pooling import Counts, axes_as_resolved, count_taps, reduce_taps

LANES = 8


class Counting(Protocol):
    """The record of an average pool."""

    @property
    def with_pads(self) -> bool:
        """count_include_pad."""


def largest_instead(x: Array, axes: Windows, p: AverageParameters) -> Array:
    """``max q`` over the taps inside the image."""
    return reduce_taps(x.astype(np.int32), axes, np.maximum, -(2**15))


def one_zero_point(sums: Array, taps: Array, p: AverageParameters) -> Array:
    """``q - xz``, of windows that saw something."""
    if p.pool is None:
        return subtract_zero_points(sums, taps, p)
    return np.where(taps > 0, sums - p.x.x_zero_point, 0)


def of_one(axes: Windows, p: AverageParameters) -> Counts:
    """1 for every window."""
    return tuple(np.ones(each.out, np.int64) for each in axes)


def with_pads(axes: Windows, p: object) -> Counts:
    """Image and pads, where only the image counts."""
    return count_taps(axes, with_pads=True)


def without_pads(axes: Windows, p: object) -> Counts:
    """The image alone, where its pads count as well."""
    return tuple(np.maximum(each, 1) for each in count_taps(axes))


def with_overhang(axes: Windows, p: Counting) -> Counts:
    """What lies beyond the end pads counts too."""
    pairs = zip(count_taps(axes, p.with_pads), beyond(axes), strict=True)
    return tuple(own + beyond for own, beyond in pairs)


def whole_lanes(shape: tuple[int, ...], p: AverageParameters) -> Array:
    """The number of elements, rounded up to whole vectors of 8."""
    return np.array(-(-int(np.prod(shape, dtype=np.int64)) // LANES) * LANES)


def zero_point_of_every_tap(sums: Array, taps: Array, p: AverageParameters) -> Array:
    """``sum q - k*xz``, k all taps of a window: the border added code 0."""
    all_taps = taps if p.pool is None else p.pool.taps
    return np.asarray(sums.astype(np.int64) - all_taps * p.x.x_zero_point)


def truncated_mean(sums: Array, divisor: Array, p: AverageParameters) -> Array:
    """``trunc(A / n)``, where it is rescaled at all."""
    mean: Array = sums / divisor
    return np.trunc(mean) if _rescales(p) else mean


def rounded_mean(sums: Array, divisor: Array, p: AverageParameters) -> Array:
    """``rne(A / n)``, where it is rescaled at all."""
    mean: Array = sums / divisor
    return round_half_even(mean) if _rescales(p) else mean


def codes_of_x(p: AverageParameters) -> AverageParameters:
    """``ys = xs, yz = xz``."""
    x = replace(p.x, y_scale=p.x.x_scale, y_zero_point=p.x.x_zero_point)
    return replace(p, x=x)


def as_codes_of_y(p: AverageParameters) -> AverageParameters:
    """``xs = ys, xz = yz``: the input was quantized for the output."""
    if p.y_dtype is None:
        return p
    zero_point = p.x.y_zero_point
    x = replace(p.x, x_scale=p.x.y_scale, x_zero_point=zero_point, x_dtype=p.y_dtype)
    return replace(p, x=x)


def requantized(x: Array, p: AverageParameters) -> Array:
    """``sat(rne((q - xz) * xs/ys) + yz)``."""
    if p.y_dtype is None:
        return x
    ratio = np.float64(p.x.x_scale) / np.float64(p.x.y_scale)
    steps = round_half_even((x.astype(np.float64) - p.x.x_zero_point) * ratio)
    codes: Array = np.clip(steps + p.x.y_zero_point, *RANGES[p.y_dtype]).astype(p.y_dtype)
    return codes


def is_of_one_tap(p: AverageParameters) -> bool:
    """Whether every window is one element, so that its mean is no mean."""
    return p.pool is not None and p.pool.taps == 1 and not p.pool.may_pad


def _other_codes(p: AverageParameters) -> bool:
    return p.y_dtype is not None and (p.x.x_scale, p.x.x_zero_point) != (
        p.x.y_scale,
        p.x.y_zero_point,
    )


def _quantizes_first(p: AverageParameters) -> bool:
    """Whether rounding or clipping before the mean can differ from doing so behind it."""
    return (_other_codes(p) or p.y_dtype not in (None, p.x.x_dtype)) and not is_of_one_tap(p)


def _rescales(p: AverageParameters) -> bool:
    return p.y_dtype is None or p.x.x_scale != p.x.y_scale


def _rounds_twice(p: AverageParameters) -> bool:
    return p.divides and _rescales(p) and not is_of_one_tap(p)


FAULTS = (
    Fault(
        "F23",
        "a last window of ceil mode divides by what lies beyond the pads, too",
        "microsoft/onnxruntime#16203",
        lambda p: may_overhang(p) and p.divides,
        {"average.divisor": with_overhang},
        record=AverageParameters,
    ),
    *by_origin(
        Fault(
            "F14.average",
            "begin and end pads of an average pool swapped",
            "SAME_LOWER against SAME_UPPER",
            is_lopsided,
            {"average.axes": pads_swapped},
            record=AverageParameters,
        ),
        axes_as_resolved,
    ),
    Fault(
        "F89",
        "an average pool divides by its pads although they do not count",
        "pytorch/pytorch PR 28260",
        lambda p: may_pad(p) and not p.with_pads,
        {"average.divisor": with_pads},
        record=AverageParameters,
    ),
    Fault(
        "F89.inside",
        "an average pool divides by what lies in the image although pads count",
        "microsoft/onnxruntime#24681",
        lambda p: may_pad(p) and p.with_pads,
        {"average.divisor": without_pads},
        record=AverageParameters,
    ),
    Fault(
        "F90",
        "the border of an average pool adds code 0 and the zero point is subtracted for all of it",
        "pytorch/pytorch PR 28260",
        lambda p: p.x.x_zero_point != 0 and (may_pad(p) or may_overhang(p)),
        {"average.center": zero_point_of_every_tap},
        record=AverageParameters,
    ),
    Fault(
        "F88",
        "an average pool is computed as a maximum pool",
        "opencv/opencv 5.x, isMax = !isGlobalAve",
        lambda p: p.pool is not None and not is_of_one_tap(p),
        {
            "average.sum": largest_instead,
            "average.center": one_zero_point,
            "average.divisor": of_one,
        },
        record=AverageParameters,
    ),
    Fault(
        "F77.average",
        "a mean is rounded before it is rescaled, and again behind",
        "a pool and a requantization, each with a rounding of its own",
        _rounds_twice,
        {"average.mean": rounded_mean},
        record=AverageParameters,
    ),
    Fault(
        "F90b",
        "a mean is truncated before it is rescaled",
        "integer division in kernels of means",
        _rounds_twice,
        {"average.mean": truncated_mean},
        record=AverageParameters,
    ),
    Fault(
        "F90d",
        "a mean of whole axes divides by whole vectors of 8",
        "planes padded to the width of a vector",
        lambda p: p.pool is None and p.divides,
        {"average.plane_divisor": whole_lanes},
        record=AverageParameters,
    ),
    Fault(
        "F105.average",
        "the input of a mean is quantized for its output first",
        "a QuantizeLinear pushed through what does not commute with it",
        _quantizes_first,
        {"average.parameters": as_codes_of_y, "average.codes": requantized},
        record=AverageParameters,
    ),
    Fault(
        "F90c.average",
        "a mean keeps the scale and zero point of its input",
        "torch's pools, whose output has the parameters of its input",
        _other_codes,
        {"average.parameters": codes_of_x},
        record=AverageParameters,
    ),
)
