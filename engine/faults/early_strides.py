"""A fault of strided convolutions of single pixels: every stride-th is taken before there are pads.

An output of another size is no fault of values: where it comes to that the faults are right.
"""

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.float_convolution import ReadImage, RealConvParameters, image_as_given
from engine.kernels.geometry import Window
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import pad_with_border

Sizes = tuple[int, ...]
_SOURCE = "openvinotoolkit/openvino: strides that move from a Convolution to what is before it, measured"


def stepped_before(x: Array, p: ConvParameters, pads: Sizes, border: int) -> tuple[Array, int]:
    """Behind one pad at the beginning ``x[(o - 1) s]`` is read for ``x[o s - 1]``."""
    image = _stepped(x, p.window, pads) if _steps_codes_before(p) else x
    return pad_with_border(image, p, pads, border)


def reals_stepped_before(p: RealConvParameters | None) -> ReadImage:
    """The same of reals."""
    if p is None or not _steps_reals_before(p):
        return image_as_given(p)
    return lambda image, pads: _stepped(image, p.window, pads)


def _stepped(x: Array, window: Window, pads: Sizes) -> Array:
    """The image with those pixels where a window reads; as it is if the output had another size."""
    half = len(pads) // 2
    padded = [
        (2 + axis, stride, pads[axis])
        for axis, stride in enumerate(window.strides)
        if stride > 1 and pads[axis] + pads[axis + half]
    ]
    if any(x.shape[axis] % stride for axis, stride, _ in padded):
        return x
    for axis, stride, begin in padded:
        x = np.roll(x, begin * (stride - 1), axis=axis)
    return x


def _steps_before(window: Window) -> bool:
    """Whether windows of one pixel have strides, one pad there at most, and some at the beginning."""
    half = len(window.kernel)
    sides = [
        (window.pads[axis], window.pads[axis + half])
        for axis, stride in enumerate(window.strides)
        if stride > 1
    ]
    single = set(window.kernel) == {1} and window.auto_pad == "NOTSET"
    return single and all(sum(each) <= 1 for each in sides) and (1, 0) in sides


def _steps_codes_before(p: ConvParameters) -> bool:
    """Sums of codes without a zero point have nothing in front that strides could move to."""
    alone = p.ending == "none" and p.x_zero_point == 0
    return p.groups == 1 and not alone and _steps_before(p.window)


def _steps_reals_before(p: RealConvParameters) -> bool:
    return p.groups == 1 and p.computed and _steps_before(p.window)


FAULTS = (
    Fault(
        "F171",
        "a convolution of single pixels takes every stride-th of them first and pads what is left",
        _SOURCE,
        _steps_codes_before,
        {"pad": stepped_before},
    ),
    Fault(
        "F171.reals",
        "a convolution of single pixels of reals takes every stride-th of them first and pads what is left",
        _SOURCE,
        _steps_reals_before,
        {"real_conv.image": reals_stepped_before},
        record=RealConvParameters,
    ),
)
