"""Means and sums of codes: QLinearAveragePool, QLinearGlobalAveragePool, QLinearReduceMean.

The integer sum is exact, and there is one rounding behind it:

    y = sat(rne(A * xs / (n * ys)) + yz),   A = sum (q - xz),   n = what is averaged over, 1 for sums

The operators that end in OfCodes give the real value instead, ``fl(A * xs / n)``; like QLinearReduceSum they
exist in rewritten graphs only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.ir import Array, Node
from engine.kernels.average_parameters import AverageParameters, built
from engine.kernels.average_pool import spatial_axes
from engine.kernels.average_rounding import finish
from engine.kernels.operator import CONTRIB, INTERNAL, Kernel, Run, Setting, operator
from engine.kernels.pooling import (
    CHUNK,
    POOL_ATTRIBUTES,
    Axis,
    Counts,
    count_taps,
    in_parts,
    read_pool,
    reduce_taps,
    refuse_empty_windows,
    resolve,
    sum_in_order,
    windows_of,
)
from engine.kernels.reduction import read_reduction
from engine.kernels.stages import to_nearest_even

_F = np.float32


@dataclass(frozen=True, slots=True)
class AverageStages:
    """The stages of a mean of windows: sum -> center -> divisor -> rescale -> round.

    ``sum`` and ``divisor`` know the windows, ``taps`` counts what of them lies inside the image.
    """

    sum: Callable[[Array, tuple[Axis, ...], AverageParameters], Array]
    center: Callable[[Array, Array, AverageParameters], Array]
    divisor: Callable[[tuple[Axis, ...], AverageParameters], Counts]
    round: Callable[[Array, int], Array]


def sum_of_codes(x: Array, axes: tuple[Axis, ...], p: AverageParameters) -> Array:
    """``sum q`` over the taps inside the image, in the narrowest type that holds it."""
    wide = _integer_for(255 * int(np.prod([each.kernel for each in axes])))
    return reduce_taps(x.astype(wide), axes, np.add, 0)


def _integer_for(bound: int) -> type[np.signedinteger[Any]]:
    return np.int16 if bound < 2**15 else np.int32 if bound < 2**31 else np.int64


def subtract_zero_points(sums: Array, taps: Array, p: AverageParameters) -> Array:
    """``A = sum q - n*xz``, n the taps inside the image: the border is real 0 and adds nothing."""
    wide = _integer_for(510 * int(taps.max(initial=0)))
    acc: Array = sums.astype(wide)
    acc -= (taps * p.x.x_zero_point).astype(wide)
    return acc


def divisor_of_windows(axes: tuple[Axis, ...], p: AverageParameters) -> Counts:
    """The taps inside the image, or (count_include_pad) also those inside its pads; by axis."""
    return count_taps(axes, p.with_pads)


def divisor_of_planes(shape: tuple[int, ...], p: AverageParameters) -> Array:
    """The number of elements of axes of that ``shape``."""
    return np.array(np.prod(shape, dtype=np.int64))


def no_divisor(shape: tuple[int, ...], p: AverageParameters) -> Array:
    """1: a sum."""
    return np.array(1)


def pool_of_codes(node: Node, setting: Setting) -> Kernel:
    """The mean of each window of codes; com.microsoft QLinearAveragePool, or a real mean.

    Shapes:
        ``x`` (N, C, *S), or (N, *S, C) with ``channels_last`` -> (N, C, *out).

    Source:
        onnxruntime contrib operators, QLinearAveragePool-1; ONNX AveragePool-22 for its windows.
    """
    pool = read_pool(node)
    with_pads = bool(node.attributes.get("count_include_pad", 0))
    stages = AverageStages(
        setting.stage("average.sum", sum_of_codes),
        setting.stage("average.center", subtract_zero_points),
        setting.stage("average.divisor", divisor_of_windows),
        setting.stage("average.round", to_nearest_even),
    )

    def prepare(p: AverageParameters) -> Run:
        averager = setting.profile.average_window(p.x) if p.y_dtype else None

        def run(x: Array) -> Array:
            axes = resolve(pool, x.shape[2:], node)
            if not with_pads:
                refuse_empty_windows(axes, node)
            taps, divisors = count_taps(axes), stages.divisor(axes, p)

            def mean(part: Array, over: tuple[Axis, ...], rows: slice) -> Array:
                if averager is not None and averager.reals is not None:
                    sums = sum_in_order(_looked_up(averager.reals, part), over)
                else:
                    inside = windows_of(taps, rows)
                    sums = stages.center(stages.sum(part, over, p), inside, p)
                return finish(sums, windows_of(divisors, rows), p, averager, stages.round)

            return in_parts(x, axes, p.y_dtype or _F, mean)

        return run

    return built(node, setting, prepare, pool=pool, with_pads=with_pads)


def reduction_of_codes(
    axes_of: Callable[[Array], tuple[int, ...]],
    keep: bool,
    divisor: Callable[[tuple[int, ...], AverageParameters], Array],
    node: Node,
    setting: Setting,
) -> Kernel:
    """The mean or sum of codes over whole axes, real or as codes."""
    rounding = setting.stage("average.round", to_nearest_even)
    center = setting.stage("average.center", subtract_zero_points)

    def prepare(p: AverageParameters) -> Run:
        averager = setting.profile.average_plane(p.x) if p.y_dtype else None

        def run(x: Array) -> Array:
            axes = axes_of(x)
            shape = tuple(x.shape[each] for each in axes)
            count = divisor(shape, p)
            if averager is not None and averager.reals is not None:
                sums = _axes_in_order(averager.reals, x, axes, keep)
            else:
                taps = divisor_of_planes(shape, p)
                sums = center(_sum_axes(x, axes, keep), taps, p)
            return finish(sums, count, p, averager, rounding)

        return run

    return built(node, setting, prepare)


def _sum_axes(x: Array, axes: tuple[int, ...], keep: bool) -> Array:
    wide = _integer_for(255 * int(np.prod([x.shape[each] for each in axes], dtype=np.int64)))
    return np.asarray(x.sum(axis=axes, keepdims=keep, dtype=wide))


def _axes_in_order(reals: Array, x: Array, axes: tuple[int, ...], keep: bool) -> Array:
    """The float32 sum over ``axes``, added one by one in row-major order."""
    kept = [each for each in range(x.ndim) if each not in axes]
    size, number = (int(np.prod([x.shape[i] for i in each])) for each in (axes, kept))
    rows = x.transpose(*kept, *axes).reshape(number, size)
    sums = np.zeros(number, _F)
    step = max(1, CHUNK // max(size, 1))
    for start in range(0, number if size else 0, step):
        part = _looked_up(reals, rows[start : start + step])
        sums[start : start + step] = np.add.accumulate(part, axis=1)[:, -1]
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keep or i in kept)
    return sums.reshape(shape)


def _looked_up(reals: Array, codes: Array) -> Array:
    """The real value of each code: ``reals`` begin with the lowest."""
    table = np.roll(reals, -128) if codes.dtype == np.int8 else reals
    found: Array = table[codes.view(np.uint8)]
    return found


def global_average_of_codes(node: Node, setting: Setting) -> Kernel:
    """The mean of each plane of codes; com.microsoft QLinearGlobalAveragePool, or a real mean.

    Source:
        onnxruntime contrib operators, QLinearGlobalAveragePool-1.
    """
    divisor = setting.stage("average.plane_divisor", divisor_of_planes)
    return reduction_of_codes(lambda x: spatial_axes(node, x), True, divisor, node, setting)


def reduce_mean_of_codes(node: Node, setting: Setting) -> Kernel:
    """The mean of codes over ``axes``; com.microsoft QLinearReduceMean, or a real mean.

    Source:
        onnxruntime contrib operators, QLinearReduceMean-1; ONNX ReduceMean.
    """
    divisor = setting.stage("average.plane_divisor", divisor_of_planes)
    return _reduced(divisor, node, setting)


def reduce_sum_of_codes(node: Node, setting: Setting) -> Kernel:
    """The sum of codes over ``axes``, as codes of the sum or real."""
    return _reduced(no_divisor, node, setting)


def _reduced(
    divisor: Callable[[tuple[int, ...], AverageParameters], Array],
    node: Node,
    setting: Setting,
) -> Kernel:
    reduction = read_reduction(node)
    return reduction_of_codes(
        lambda x: reduction.resolve(None, x.ndim, node), reduction.keep, divisor, node, setting
    )


_POOL = f"{POOL_ATTRIBUTES} channels_last count_include_pad"
_CODES, _REAL = (2, 5), (2, 3)  # the zero point of x may be left out before the scale of y

OPERATORS = (
    operator("QLinearAveragePool", pool_of_codes, _POOL, inputs=_CODES, domains=CONTRIB),
    operator(
        "QLinearGlobalAveragePool",
        global_average_of_codes,
        "channels_last",
        inputs=_CODES,
        domains=CONTRIB,
    ),
    operator(
        "QLinearReduceMean",
        reduce_mean_of_codes,
        "axes keepdims",
        inputs=_CODES,
        domains=CONTRIB,
    ),
    operator(
        "QLinearReduceSum",
        reduce_sum_of_codes,
        "axes keepdims",
        inputs=_CODES,
        domains=INTERNAL,
    ),
    operator("AveragePoolOfCodes", pool_of_codes, _POOL, inputs=_REAL, domains=INTERNAL),
    operator(
        "GlobalAveragePoolOfCodes", global_average_of_codes, inputs=_REAL, domains=INTERNAL
    ),
    operator(
        "ReduceMeanOfCodes",
        reduce_mean_of_codes,
        "axes keepdims",
        inputs=_REAL,
        domains=INTERNAL,
    ),
    operator(
        "ReduceSumOfCodes",
        reduce_sum_of_codes,
        "axes keepdims",
        inputs=_REAL,
        domains=INTERNAL,
    ),
)
