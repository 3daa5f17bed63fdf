"""Faults of windows over reals, and of SAME in pools: what is not fused has the same bugs."""

import operator
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.faults.averages import with_overhang, with_pads, without_pads
from engine.faults.fault import Fault
from engine.faults.pad_origin import by_origin
from engine.faults.padding import around, by_kernel, other_same_pads, some_pads
from engine.faults.pools import (
    Pooled,
    Windows,
    is_lopsided,
    may_overhang,
    may_pad,
    pads_swapped,
)
from engine.ir import Array
from engine.kernels.average_parameters import AverageParameters
from engine.kernels.average_pool import RealAverageParameters
from engine.kernels.float_convolution import RealConvParameters, pad_with_zeros
from engine.kernels.geometry import Window
from engine.kernels.pooling import Counts, Pool, axes_as_resolved, count_taps
from engine.kernels.pooling_max import MaxPoolParameters

Pads = tuple[int, ...]


def begun_by_kernel(axes: Windows, pool: Pool) -> Windows:
    """auto_pad SAME begins ``(kernel - 1) // 2`` before the image, where every window sees something."""
    if not pool.window.auto_pad.startswith("SAME"):
        return axes
    begins = [(each.kernel - 1) // 2 for each in axes]
    moved = tuple(
        replace(each, begin=begin, end=each.begin + each.end - begin)
        for each, begin in zip(axes, begins, strict=True)
    )
    return moved if all(each.counts().all() for each in moved) else axes


def begun_at_once(axes: Windows, pool: Pool) -> Windows:
    """auto_pad SAME begins at the first pixel, where every window sees something."""
    if not pool.window.auto_pad.startswith("SAME"):
        return axes
    moved = tuple(replace(each, begin=0, end=each.begin + each.end) for each in axes)
    return moved if all(each.counts().all() for each in moved) else axes


def halved(axes: Windows, pool: Pool) -> Windows:
    """auto_pad SAME begins half of all its pads outside, rounded down, on either side of the image."""
    if not pool.window.auto_pad.startswith("SAME"):
        return axes
    moved = tuple(
        replace(each, begin=(each.begin + each.end) // 2, end=(each.begin + each.end + 1) // 2)
        for each in axes
    )
    return moved if all(each.counts().all() for each in moved) else axes


def within_halves(axes: Windows, p: AverageParameters) -> Counts:
    """Image and pads, as many at the end as at the beginning; what lies beyond does not count."""
    if p.pool is None or not p.pool.window.auto_pad.startswith("SAME"):
        return count_taps(axes, p.with_pads)
    even = tuple(replace(each, end=min(each.begin, each.end)) for each in axes)
    return count_taps(even, with_pads=True)


def padded_by_kernel(image: Array, pads: Pads, window: Window) -> Array:
    """The same of a convolution; the border goes on at the end as far as the windows reach."""
    if not window.auto_pad.startswith("SAME"):
        return pad_with_zeros(image, pads, window)
    wide, inside = around(by_kernel(pads, window.kernel))
    return np.ascontiguousarray(pad_with_zeros(image, wide, window)[:, :, *inside])


def padded_swapped(image: Array, pads: Pads, window: Window) -> Array:
    """The begin pads at the end, the end pads at the beginning."""
    half = len(pads) // 2
    return pad_with_zeros(image, pads[half:] + pads[:half], window)


def _begins_elsewhere(p: Pooled) -> bool:
    return p.pool is not None and other_same_pads(p.pool.window)


def _same(key: str, what: str, record: type, stage: str) -> Fault:
    return Fault(
        key,
        f"auto_pad SAME of {what} begins (kernel - 1) / 2 outside, whatever stride, dilation and side",
        "opencv/opencv 5.x, measured",
        _begins_elsewhere,
        {stage: begun_by_kernel},
        record=record,
    )


def code_zero(p: RealAverageParameters) -> float:
    """The real of code 0, where the reals are made of codes of one scale; else 0."""
    scale, zero_point = p.codes.scale, p.codes.zero_point
    if scale is None or zero_point is None or not scale.size == zero_point.size == 1:
        return 0.0
    return -float(zero_point.astype(np.float64).item()) * float(scale.item())


def _average(
    key: str,
    title: str,
    source: str,
    trigger: Callable[[RealAverageParameters], bool],
    **stage: Callable[..., object],
) -> Fault:
    stages = {f"real_average.{name}": each for name, each in stage.items()}
    return Fault(key, title, source, trigger, stages, record=RealAverageParameters)


FAULTS = (
    *by_origin(
        Fault(
            "F14.reals",
            "begin and end pads of a convolution of reals swapped",
            "asymmetric pads, SAME_LOWER against SAME_UPPER",
            some_pads(operator.ne),
            {"real_conv.pad": padded_swapped},
            record=RealConvParameters,
        ),
        pad_with_zeros,
    ),
    Fault(
        "F16.reals",
        "auto_pad SAME of a convolution of reals begins (kernel - 1) / 2 outside, whatever stride, dilation and side",
        "opencv/opencv 5.x, measured",
        lambda p: other_same_pads(p.window),
        {"real_conv.pad": padded_by_kernel},
        record=RealConvParameters,
    ),
    _same("F16.pool", "a maximum pool", MaxPoolParameters, "max_pool.axes"),
    Fault(
        "F16.pool.first",
        "auto_pad SAME of a maximum pool begins at the first pixel, with all of its pads at the end",
        "opencv/opencv modules/dnn/src/layers/maxpool_layer.cpp, measured",
        lambda p: p.pool is not None and p.pool.may_pad and p.pool.window.auto_pad != "NOTSET",
        {"max_pool.axes": begun_at_once},
        record=MaxPoolParameters,
    ),
    _same("F16.average", "an average pool", AverageParameters, "average.axes"),
    Fault(
        "F16.average.halves",
        "auto_pad SAME of an average pool has half of its pads on either side, which count",
        "opencv/opencv 5.x QLinearAveragePool, measured on every kernel to 5, stride to 3, image to 7",
        lambda p: p.pool is not None and p.pool.window.auto_pad.startswith("SAME"),
        {"average.axes": halved, "average.divisor": within_halves},
        record=AverageParameters,
    ),
    _same(
        "F16.average.reals", "an average of reals", RealAverageParameters, "real_average.axes"
    ),
    *by_origin(
        _average(
            "F14.average.reals",
            "begin and end pads of an average of reals swapped",
            "SAME_LOWER against SAME_UPPER",
            is_lopsided,
            axes=pads_swapped,
        ),
        axes_as_resolved,
    ),
    _average(
        "F23.reals",
        "a last window of ceil mode divides an average of reals by what lies beyond the pads, too",
        "microsoft/onnxruntime#16203",
        may_overhang,
        divisor=with_overhang,
    ),
    _average(
        "F90.reals",
        "the border of an average of reals is code 0 of the codes that they are made of",
        "openvinotoolkit/openvino: an AveragePool of 4-bit codes, measured",
        lambda p: (may_pad(p) or may_overhang(p)) and code_zero(p) != 0,
        border=code_zero,
    ),
    _average(
        "F89.reals",
        "an average of reals divides by its pads although they do not count",
        "pytorch/pytorch PR 28260",
        lambda p: may_pad(p) and not p.with_pads,
        divisor=with_pads,
    ),
    _average(
        "F89.inside.reals",
        "an average of reals divides by what lies in the image although pads count",
        "microsoft/onnxruntime#24681",
        lambda p: may_pad(p) and p.with_pads,
        divisor=without_pads,
    ),
)
