"""Faults of operators written for images of two axes: of others the result has another shape, or there is none."""

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import numpy as np

from engine.errors import Unanswered
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.convolution import Kernel
from engine.kernels.parameters import ConvParameters
from engine.kernels.pooling import Axis, Pool
from engine.kernels.pooling_max import MaxPoolParameters

_AXES = 2  # of the image that the operators were written for
_SOURCE = "onnx/onnx 1.23.2 onnx/reference/ops/"


def scaled_along_the_second_of_four(
    make: Callable[[ConvParameters], Kernel], p: ConvParameters
) -> Kernel:
    """``acc * xs*ws/ys`` with the scales (1, M, 1, 1) beside sums (N, M, *out).

    Raises, when it runs:
        Unanswered: these do not fit together, or their product has another shape.
    """
    if not _is_per_channel(p):
        return make(p)
    kernels = [make(replace(p, w_scales=scale.reshape(1))) for scale in p.w_scales]
    number = np.arange(len(kernels)).reshape(1, -1, 1, 1)

    def run(x: Array) -> Array:
        by_scale = [kernel(x) for kernel in kernels]
        sums = by_scale[0]
        try:
            place = np.zeros(sums.shape, int) + number
        except ValueError as error:
            _unanswered(error)
        if place.shape != sums.shape:
            raise Unanswered(f"{p.node}: codes of shape {place.shape}", place.shape)
        codes: Array = np.take_along_axis(np.stack(by_scale), place[np.newaxis], axis=0)[0]
        return codes

    return run


def _is_per_channel(p: ConvParameters) -> bool:
    return len(p.window.kernel) != _AXES and p.w_scales.size > 1


def padded_as_an_image(axes: tuple[Axis, ...], pool: Pool) -> tuple[Axis, ...]:
    """The axes as they are; the pads that SAME asks for are put around two of them.

    Raises:
        Unanswered: there are fewer, or more.
    """
    if not _is_padded(pool):
        return axes
    try:
        sides = [(axes[i].begin, axes[i].end) for i in range(_AXES)]
        np.pad(np.zeros((1,) * (2 + len(axes))), [(0, 0), (0, 0), *sides])
    except (IndexError, ValueError) as error:
        _unanswered(error)
    return axes


def _is_padded(pool: Pool) -> bool:
    window = pool.window
    is_plain = {*window.strides, *window.dilations} == {1}
    return is_plain and window.auto_pad.startswith("SAME") and len(window.kernel) != _AXES


def _unanswered(error: Exception) -> NoReturn:
    raise Unanswered(f"{type(error).__name__}: {error}") from error


FAULTS = (
    Fault(
        "F176",
        "scales of channels stand along the second of four axes, however many the sums have",
        f"{_SOURCE}op_qlinear_conv.py",
        _is_per_channel,
        {"conv.kernel": scaled_along_the_second_of_four},
        breaks=True,
    ),
    Fault(
        "F177",
        "the pads that SAME asks a MaxPool for are put around two axes, however many the image has",
        f"{_SOURCE}_op_common_pool.py",
        lambda p: p.pool is not None and _is_padded(p.pool),
        {"max_pool.axes": padded_as_an_image},
        record=MaxPoolParameters,
        breaks=True,
    ),
)
