"""Faults of what chooses by order: maximum pools, the largest along axes, TopK."""

from dataclasses import replace
from typing import Protocol

import numpy as np

from engine.faults.fault import Fault
from engine.faults.pad_origin import by_origin
from engine.ir import Array
from engine.kernels.pooling import Axis, Counts, Pool, axes_as_resolved, count_taps, windows_of
from engine.kernels.pooling_max import (
    MaxPoolParameters,
    largest_of_plane,
    largest_of_windows,
    largest_with_index,
)
from engine.kernels.reduction import Axes, Reduce, ReductionParameters
from engine.kernels.selection import TopKParameters

Windows = tuple[Axis, ...]


class Pooled(Protocol):
    """The record of a pool; without ``pool`` it is one of whole planes."""

    @property
    def pool(self) -> Pool | None:
        """Its geometry."""


EVERYTHING = slice(None)


def _is_signed(p: MaxPoolParameters | ReductionParameters) -> bool:
    return p.x_dtype is not None and p.x_dtype.kind == "i"


def windows_from_code_zero(x: Array, axes: Windows, p: MaxPoolParameters) -> Array:
    """``max(0, window)``."""
    y = largest_of_windows(x, axes, p)
    return np.maximum(y, 0) if _is_signed(p) else y


def planes_from_code_zero(x: Array, p: MaxPoolParameters) -> Array:
    """``max(0, plane)``."""
    y = largest_of_plane(x, p)
    return np.maximum(y, 0) if _is_signed(p) else y


def reduced_from_code_zero(reduce: Reduce, p: ReductionParameters) -> Reduce:
    """``max(0, x)`` over axes."""
    if p.op != "ReduceMax" or not _is_signed(p):
        return reduce

    def largest(x: Array, axes: Axes, keep: bool) -> Array:
        return np.maximum(reduce(x, axes, keep), 0)

    return largest


def pads_take_part(x: Array, axes: Windows, p: MaxPoolParameters) -> Array:
    """``max(zx, window)`` where a window reaches over pads."""
    return _with_zero_point(x, axes, p, _in_pads(axes))


def overhang_takes_part(x: Array, axes: Windows, p: MaxPoolParameters) -> Array:
    """``max(zx, window)`` where a window reaches beyond the end pads."""
    return _with_zero_point(x, axes, p, beyond(axes))


def _with_zero_point(x: Array, axes: Windows, p: MaxPoolParameters, outside: Counts) -> Array:
    y = largest_of_windows(x, axes, p)
    if p.zero_point is None:
        return y
    inside = tuple(each == 0 for each in outside)
    touched = ~windows_of(inside, EVERYTHING).astype(bool)
    zero_point = np.asarray(p.zero_point, y.dtype)
    return np.where(touched, np.maximum(y, zero_point), y)


def _in_pads(axes: Windows) -> Counts:
    """How many taps of each output lie in the pads, by axis."""
    pairs = zip(count_taps(axes, with_pads=True), count_taps(axes), strict=True)
    return tuple(both - inside for both, inside in pairs)


def beyond(axes: Windows) -> Counts:
    """How many taps of each output lie beyond the end pads, by axis."""
    pairs = zip(axes, count_taps(axes, with_pads=True), strict=True)
    return tuple(axis.kernel - both for axis, both in pairs)


def pads_swapped(axes: Windows, pool: Pool) -> Windows:
    """The begin pads at the end, the end pads at the beginning, where every window sees something."""
    swapped = tuple(replace(each, begin=each.end, end=each.begin) for each in axes)
    return swapped if all(each.counts().all() for each in swapped) else axes


def index_in_plane(x: Array, axes: Windows, column_major: bool) -> tuple[Array, Array]:
    """Indices that begin again with every plane."""
    y, where = largest_with_index(x, axes, column_major)
    return y, where % int(np.prod(x.shape[2:]))


def index_in_image(x: Array, axes: Windows, column_major: bool) -> tuple[Array, Array]:
    """Indices that begin again with every image."""
    y, where = largest_with_index(x, axes, column_major)
    return y, where % int(np.prod(x.shape[1:]))


def index_row_major(x: Array, axes: Windows, column_major: bool) -> tuple[Array, Array]:
    """Indices in the order of memory, whatever ``storage_order`` is."""
    return largest_with_index(x, axes, False)


def index_turned(x: Array, axes: Windows, column_major: bool) -> tuple[Array, Array]:
    """Those, with the spatial axes the other way round; ``column_major`` asks for it."""
    y, where = largest_with_index(x, axes, False)
    if not column_major:
        return y, where
    return y, np.ascontiguousarray(where.transpose(0, 1, *range(where.ndim - 1, 1, -1)))


def indices_never_written(indices: Array, p: TopKParameters) -> Array:
    """Zeros, where the values are codes."""
    return np.zeros_like(indices) if p.on_codes else indices


def _zero_point_wins(p: MaxPoolParameters) -> bool:
    """Whether some code is below real 0, and there are no indices instead."""
    if p.indices or p.x_dtype is None or p.zero_point is None:
        return False
    return p.zero_point > np.iinfo(p.x_dtype).min


def _begins_below_zero(p: MaxPoolParameters) -> bool:
    return _is_signed(p) and not p.indices


def may_pad(p: Pooled) -> bool:
    """Whether some image makes a window reach over pads."""
    return p.pool is not None and p.pool.may_pad


def is_lopsided(p: Pooled) -> bool:
    """Whether some image makes begin and end pads differ."""
    if p.pool is None or p.pool.window.auto_pad == "VALID":
        return False
    pads = p.pool.window.pads
    half = len(pads) // 2
    return pads[:half] != pads[half:] if p.pool.window.auto_pad == "NOTSET" else may_pad(p)


def may_overhang(p: Pooled) -> bool:
    """Whether some image makes a window reach beyond the end pads."""
    return p.pool is not None and p.pool.may_overhang


FAULTS = (
    Fault(
        "F23.max",
        "a last window of ceil mode sees the zero point beyond the pads of a maximum pool",
        "microsoft/onnxruntime#16351",
        lambda p: may_overhang(p) and _zero_point_wins(p),
        {"max_pool.largest": overhang_takes_part},
        record=MaxPoolParameters,
    ),
    *by_origin(
        Fault(
            "F14.pool",
            "begin and end pads of a maximum pool swapped",
            "SAME_LOWER against SAME_UPPER",
            is_lopsided,
            {"max_pool.axes": pads_swapped},
            record=MaxPoolParameters,
        ),
        axes_as_resolved,
    ),
    Fault(
        "F87b",
        "the pads of a maximum pool hold the zero point and take part",
        "kernels that pad every operator's input alike",
        lambda p: may_pad(p) and _zero_point_wins(p),
        {"max_pool.largest": pads_take_part},
        record=MaxPoolParameters,
    ),
    Fault(
        "F87",
        "a maximum pool of int8 codes begins at code 0",
        "PINTO0309/onnx2tf#444; kernels that begin at 0",
        _begins_below_zero,
        {
            "max_pool.largest": windows_from_code_zero,
            "max_pool.plane": planes_from_code_zero,
        },
        record=MaxPoolParameters,
    ),
    Fault(
        "F87.reduce",
        "the largest of int8 codes along axes begins at code 0",
        "kernels that begin at 0",
        lambda p: p.op == "ReduceMax" and _is_signed(p),
        {"reduce.codes": reduced_from_code_zero},
        record=ReductionParameters,
    ),
    Fault(
        "F121",
        "the indices of TopK are never written where its values are codes",
        "rewrites of operators with several outputs",
        lambda p: p.on_codes and p.indices,
        {"top_k.indices": indices_never_written},
        record=TopKParameters,
    ),
    Fault(
        "F121.pool",
        "the indices of a maximum pool count within a plane",
        "an index that is local to its plane",
        lambda p: p.indices,
        {"max_pool.index": index_in_plane},
        record=MaxPoolParameters,
    ),
    Fault(
        "F121.image",
        "the indices of a maximum pool count within an image",
        "opencv/opencv modules/dnn/src/layers/maxpool_layer.cpp, measured",
        lambda p: p.indices,
        {"max_pool.index": index_in_image},
        record=MaxPoolParameters,
    ),
    Fault(
        "F165",
        "the indices of a maximum pool count row by row although storage_order is 1",
        "opencv/opencv modules/dnn/src/layers/maxpool_layer.cpp, measured",
        lambda p: p.indices and p.column_major,
        {"max_pool.index": index_row_major},
        record=MaxPoolParameters,
    ),
    Fault(
        "F165.turned",
        "the indices of a maximum pool by columns are those by rows, their own axes turned round",
        "openvinotoolkit/openvino: storage_order 1 of ONNX's MaxPool, measured",
        lambda p: p.indices and p.column_major,
        {"max_pool.index": index_turned},
        record=MaxPoolParameters,
    ),
    Fault(
        "F43",
        "what chooses by order chooses among codes although the scale is negative",
        "microsoft/onnxruntime's guard of dropped Q and DQ",
        guards_off=("G6/order",),
        record=MaxPoolParameters,
    ),
    Fault(
        "F90c",
        "what chooses by order chooses among codes although those of its output differ",
        "rules that fuse a pool without a look at its parameters",
        guards_off=tuple(
            f"{rule}.G5/{detail}"
            for rule in ("R15", "R16")
            for detail in ("scale", "zero point")
        ),
        record=MaxPoolParameters,
    ),
)
