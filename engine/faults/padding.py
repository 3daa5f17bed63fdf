"""Faults of the border."""

from engine.arithmetic import RANGES
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import pad_with, pad_with_zero_point

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
