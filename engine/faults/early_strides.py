"""A fault of strided convolutions of single pixels: every stride-th is taken before there are pads.

The output may have another size then; the faults of values leave such a convolution as it is.
"""

import numpy as np

from engine.errors import Unanswered
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


def sized_before(x: Array, p: ConvParameters, pads: Sizes, border: int) -> tuple[Array, int]:
    """Pads around what the strides left, that are as many for fewer pixels.

    Raises:
        Unanswered: the output has another size.
    """
    if _sizes_codes_before(p):
        _keep_size(p.node, x, p.window, pads, p.out_channels)
    return pad_with_border(x, p, pads, border)


def reals_sized_before(p: RealConvParameters | None) -> ReadImage:
    """The same of reals."""
    if p is None or not _sizes_reals_before(p):
        return image_as_given(p)
    node, window, channels = p.node, p.window, p.out_channels

    def read(image: Array, pads: Sizes) -> Array:
        _keep_size(node, image, window, pads, channels)
        return image

    return read


def _keep_size(node: str, x: Array, window: Window, pads: Sizes, channels: int) -> None:
    """Says the shape of the output where it is another one."""
    image, half = x.shape[2:], len(pads) // 2
    found = tuple(
        -(-size // stride) + pads[axis] + pads[axis + half]
        for axis, (size, stride) in enumerate(zip(image, window.strides, strict=True))
    )
    if found != window.resolve(image, node)[1]:
        shape = (x.shape[0], channels, *found)
        raise Unanswered(f"{node}: an output of shape {shape}", shape)


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


def _sizes_before(window: Window) -> bool:
    """Whether windows of one pixel have strides, and pads there."""
    half = len(window.kernel)
    pads = zip(window.strides, window.pads[:half], window.pads[half:], strict=True)
    single = set(window.kernel) == {1} and window.auto_pad == "NOTSET"
    return single and any(stride > 1 and begin + end > 0 for stride, begin, end in pads)


def _sizes_codes_before(p: ConvParameters) -> bool:
    alone = p.ending == "none" and p.x_zero_point == 0
    return p.groups == 1 and not alone and _sizes_before(p.window)


def _sizes_reals_before(p: RealConvParameters) -> bool:
    return p.groups == 1 and p.computed and _sizes_before(p.window)


_SIZES = "an output of another size where a convolution of single pixels takes every stride-th of them"

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
    Fault(
        "F171.size",
        f"{_SIZES} first",
        _SOURCE,
        _sizes_codes_before,
        {"pad": sized_before},
        breaks=True,
    ),
    Fault(
        "F171.reals.size",
        f"{_SIZES} first, of reals",
        _SOURCE,
        _sizes_reals_before,
        {"real_conv.image": reals_sized_before},
        record=RealConvParameters,
        breaks=True,
    ),
)
