"""Faults of the border."""

from functools import partial

from engine.arithmetic import RANGES, Int32
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.geometry import pad_spatial
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import (
    Accumulate,
    multiply_exactly,
    pad_with,
    pad_with_zero_point,
)

Pads = tuple[int, ...]


def pad_with_lowest_code(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """The border reads the lowest code, 0 in the unsigned domain, yet zx is folded over it."""
    return pad_with(x, pads, RANGES[p.x_dtype][0]), p.x_zero_point


def pad_with_code_zero(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """The border reads code 0, which is real 0 only where zx is 0."""
    return pad_with(x, pads, 0), p.x_zero_point


def pad_swapped(x: Array, p: ConvParameters, pads: Pads) -> tuple[Array, int]:
    """The begin pads at the end, the end pads at the beginning."""
    half = len(pads) // 2
    return pad_with_zero_point(x, p, pads[half:] + pads[:half])


def tail_reads_lowest_code(p: ConvParameters, weights: Array) -> Accumulate:
    """The last ``pixels mod 8`` of a depthwise output are summed as under F11.

    Measured on OpenCV 5.0.0.93 in every plane below 40 pixels; in larger ones only at some sizes.
    """
    exact = multiply_exactly(p, weights)
    return partial(_sum_tail, p, exact) if p.is_depthwise else exact


def _sum_tail(
    p: ConvParameters, exact: Accumulate, padded: Array, zero_point: int, pads: Pads, out: Pads
) -> Int32:
    acc = exact(padded, zero_point, pads, out)
    first = acc.shape[2] // 8 * 8
    half = len(pads) // 2
    inside = tuple(
        slice(a, s - b)
        for a, b, s in zip(pads[:half], pads[half:], padded.shape[2:], strict=True)
    )
    lowest = pad_spatial(padded[:, :, *inside], pads, RANGES[p.x_dtype][0])
    acc[:, :, first:] = exact(lowest, zero_point, pads, out)[:, :, first:]
    return acc


def _asymmetric(p: ConvParameters) -> bool:
    if p.auto_pad.startswith("SAME"):
        return p.may_pad
    half = len(p.pads) // 2
    return p.auto_pad != "VALID" and p.pads[:half] != p.pads[half:]


FAULTS = (
    Fault(
        "F11",
        "padding taps read the lowest code while the zero point is folded over the full window",
        "apache/tvm#13364; opencv/opencv 5.x convolution tails",
        lambda p: p.may_pad and p.x_zero_point != RANGES[p.x_dtype][0],
        {"pad": pad_with_lowest_code},
    ),
    Fault(
        "F11.tail",
        "padding taps of the last pixels of a depthwise convolution read the lowest code",
        "opencv/opencv 5.x depthwise int8 convolution, output pixels beyond a multiple of 8",
        lambda p: p.is_depthwise and p.may_pad and p.x_zero_point != RANGES[p.x_dtype][0],
        {"accumulate": tail_reads_lowest_code},
    ),
    Fault(
        "F12",
        "padding holds code 0 instead of the zero point",
        "apache/tvm PR 4807",
        lambda p: p.may_pad and p.x_zero_point != 0,
        {"pad": pad_with_code_zero},
    ),
    Fault(
        "F14",
        "begin and end pads swapped",
        "asymmetric pads, SAME_LOWER against SAME_UPPER",
        _asymmetric,
        {"pad": pad_swapped},
    ),
)
