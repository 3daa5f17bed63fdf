"""A fault of convolutions of single pixels: a plane is one row to them, and so are its pads."""

from math import prod

import numpy as np

from engine.faults.fault import Fault
from engine.faults.padding import possible_pads
from engine.ir import Array
from engine.kernels.float_convolution import RealConvParameters
from engine.kernels.geometry import Window
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import pad_with_border

Pads = tuple[int, ...]

LANES = 8


def pad_one_row(x: Array, p: ConvParameters, pads: Pads, border: int) -> tuple[Array, int]:
    """All pixels in one row behind the last axis' begin pad; all is padding where another axis has one."""
    if not _is_of_pixels(p):
        return pad_with_border(x, p, pads, border)
    half = len(pads) // 2
    *above, beside = pads[:half]
    sizes = [n + pads[i] + pads[half + i] for i, n in enumerate(x.shape[2:])]
    row = np.full((*x.shape[:2], prod(sizes)), border, np.int16)
    if not any(above):
        pixels = x.reshape(*x.shape[:2], -1)[:, :, : max(row.shape[2] - beside, 0)]
        row[:, :, beside : beside + pixels.shape[2]] = pixels
    return row.reshape(*x.shape[:2], *sizes), p.x_zero_point


def _is_of_pixels(p: ConvParameters) -> bool:
    """Whether there are pads, on both sides alike, around windows of one pixel, one beside the other.

    A convolution plane by plane has a kernel of its own, which is right. Groups that do not fill the
    lanes, and pads on one side alone, read what lies behind the tensor: what they give is no formula.
    """
    window, half = p.window, len(p.kernel)
    return (
        p.may_pad
        and _is_dense(window)
        and not p.in_per_group == p.out_per_group == 1
        and (p.groups == 1 or p.in_per_group % LANES == p.out_per_group % LANES == 0)
        and all(pads[:half] == pads[half:] for pads in possible_pads(window))
    )


def _may_read_beside(p: ConvParameters) -> bool:
    """Whether there are pads around windows of one pixel, one beside the other, of whatever groups."""
    alone = p.in_per_group == p.out_per_group == 1
    return p.may_pad and _is_dense(p.window) and not alone


def _may_read_reals_beside(p: RealConvParameters) -> bool:
    pads = any(any(each) for each in possible_pads(p.window))
    return pads and _is_dense(p.window) and p.out_channels != p.groups


def _is_dense(window: Window) -> bool:
    return set(window.kernel) == {1} == set(window.strides)


FAULTS = (
    Fault(
        "F162",
        "a convolution of single pixels takes the plane for one row, and its pads for those of the row",
        "opencv/opencv 5.x, measured on 95 convolutions of codes",
        _is_of_pixels,
        {"pad": pad_one_row},
    ),
    Fault(
        "F162.beside",
        "a convolution of single pixels takes the plane for one row, and reads and leaves out what lies beside it",
        "opencv/opencv 5.x, measured",
        _may_read_beside,
        reads_beside=True,
    ),
    Fault(
        "F162.reals",
        "a convolution of real single pixels takes the plane for one row, and reads and leaves out what lies beside it",
        "opencv/opencv 5.x, measured",
        _may_read_reals_beside,
        record=RealConvParameters,
        reads_beside=True,
    ),
)
