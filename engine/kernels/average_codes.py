"""Means and sums of codes: QLinearAveragePool, QLinearGlobalAveragePool, QLinearReduceMean.

The integer sum is exact, and there is one rounding behind it:

    y = sat(rne(A * xs / (n * ys)) + yz),   A = sum (q - xz),   n = what is averaged over, 1 for sums

The operators that end in OfCodes give the real value instead, ``fl(A * xs / n)``; like QLinearReduceSum they
exist in rewritten graphs only.
"""

from collections.abc import Callable

import numpy as np

from engine.ir import Array, Node
from engine.kernels.average_parameters import AverageParameters, built
from engine.kernels.average_pool import spatial_axes
from engine.kernels.average_rounding import finish
from engine.kernels.average_stages import (
    divisor_of_planes,
    integer_for,
    no_divisor,
    stages_of,
)
from engine.kernels.operator import CONTRIB, INTERNAL, Kernel, Run, Setting, operator
from engine.kernels.pooling import (
    CHUNK,
    POOL_ATTRIBUTES,
    Axis,
    count_taps,
    in_parts,
    read_pool,
    refuse_empty_windows,
    resolve,
    sum_in_order,
    windows_of,
)
from engine.kernels.reduction import read_reduction

_F = np.float32


def pool_of_codes(node: Node, setting: Setting) -> Kernel:
    """The mean of each window of codes; com.microsoft QLinearAveragePool, or a real mean.

    Shapes:
        ``x`` (N, C, *S), or (N, *S, C) with ``channels_last`` -> (N, C, *out).

    Source:
        onnxruntime contrib operators, QLinearAveragePool-1; ONNX AveragePool-22 for its windows.
    """
    pool = read_pool(node)
    with_pads = bool(node.attributes.get("count_include_pad", 0))
    stages = stages_of(setting)

    def prepare(given: AverageParameters) -> Run:
        p = stages.parameters(given)
        averager = setting.profile.average_window(p.x) if p.y_dtype else None
        reals = stages.reals(averager)

        def run(codes: Array) -> Array:
            x = stages.codes(codes, given)
            axes = stages.axes(resolve(pool, x.shape[2:], node), pool)
            if not with_pads:
                refuse_empty_windows(axes, node)
            taps, divisors = count_taps(axes), stages.divisor(axes, p)

            def mean(part: Array, over: tuple[Axis, ...], rows: slice) -> Array:
                if reals is not None:
                    sums = sum_in_order(_looked_up(reals, part), over)
                else:
                    inside = windows_of(taps, rows)
                    sums = stages.center(stages.sum(part, over, p), inside, p)
                return finish(sums, windows_of(divisors, rows), p, averager, stages)

            return in_parts(x, axes, p.y_dtype or _F, mean)

        return run

    return built(node, setting, prepare, pool=pool, with_pads=with_pads)


def reduction_of_codes(
    axes_of: Callable[[Array], tuple[int, ...]],
    keep: bool,
    divides: bool,
    node: Node,
    setting: Setting,
) -> Kernel:
    """The mean of codes over whole axes, or their sum, real or as codes."""
    stages = stages_of(setting)
    divisor = stages.plane_divisor if divides else no_divisor

    def prepare(given: AverageParameters) -> Run:
        p = stages.parameters(given)
        averager = setting.profile.average_plane(p.x) if p.y_dtype else None
        reals = stages.reals(averager)

        def run(codes: Array) -> Array:
            x = stages.codes(codes, given)
            axes = axes_of(x)
            shape = tuple(x.shape[each] for each in axes)
            count = divisor(shape, p)
            if reals is not None:
                sums = _axes_in_order(reals, x, axes, keep)
            else:
                taps = divisor_of_planes(shape, p)
                sums = stages.center(_sum_axes(x, axes, keep), taps, p)
            return finish(sums, count, p, averager, stages)

        return run

    return built(node, setting, prepare, divides=divides)


def _sum_axes(x: Array, axes: tuple[int, ...], keep: bool) -> Array:
    wide = integer_for(255 * int(np.prod([x.shape[each] for each in axes], dtype=np.int64)))
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
    return reduction_of_codes(lambda x: spatial_axes(node, x), True, True, node, setting)


def reduce_mean_of_codes(node: Node, setting: Setting) -> Kernel:
    """The mean of codes over ``axes``; com.microsoft QLinearReduceMean, or a real mean.

    Source:
        onnxruntime contrib operators, QLinearReduceMean-1; ONNX ReduceMean.
    """
    return _reduced(True, node, setting)


def reduce_sum_of_codes(node: Node, setting: Setting) -> Kernel:
    """The sum of codes over ``axes``, as codes of the sum or real."""
    return _reduced(False, node, setting)


def _reduced(divides: bool, node: Node, setting: Setting) -> Kernel:
    reduction = read_reduction(node)
    return reduction_of_codes(
        lambda x: reduction.resolve(None, x.ndim, node), reduction.keep, divides, node, setting
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
