"""AveragePool, LpPool and their global forms in float."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import EngineError, InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.codes_before import CodesBefore, codes_before
from engine.kernels.operator import Kernel, Setting, operator
from engine.kernels.pooling import (
    POOL_ATTRIBUTES,
    Axis,
    Counts,
    Pool,
    axes_as_resolved,
    count_taps,
    in_parts,
    read_pool,
    reduce_taps,
    refuse_empty_windows,
    resolve,
    windows_of,
)


@dataclass(frozen=True, slots=True)
class RealAverageParameters:
    """One AveragePool of reals; ``with_pads`` is count_include_pad, ``codes`` what the reals are made of."""

    node: str
    pool: Pool
    with_pads: bool
    codes: CodesBefore


def wide_float(node: Node, x: Array) -> np.dtype[Any]:
    """The type sums are held in: float64 as it is, float32 and narrower in float32."""
    if x.dtype == np.float64:
        return np.dtype(np.float64)
    if x.dtype.name not in ("float32", "float16", "bfloat16"):
        raise Unsupported(f"{node.op} {node.id!r}: {x.dtype} data; only floats are supported")
    return np.dtype(np.float32)


def average_pool(node: Node, setting: Setting) -> Kernel:
    """``y = fl(sum / n)``; n counts the taps inside the image, or (count_include_pad) also in its pads.

    What ceil mode adds behind the end pad never counts.

    Shapes:
        ``x`` (N, C, *S) -> (N, C, *out).

    Source:
        ONNX AveragePool-7, -10, -11, -19, -22.
    """
    pool = read_pool(node)
    with_pads = bool(node.attributes.get("count_include_pad", 0))
    p = RealAverageParameters(node.id, pool, with_pads, codes_before(node, setting.graph))
    laid = setting.stage("real_average.axes", axes_as_resolved)
    divisor = setting.stage("real_average.divisor", divisor_of_windows)
    border = setting.stage("real_average.border", real_zero)(p)

    def run(x: Array) -> Array:
        axes = resolve(pool, x.shape[2:], node)
        if not p.with_pads:
            refuse_empty_windows(axes, node)
        wide, axes = wide_float(node, x), laid(axes, pool)
        counts, inside = divisor(axes, p), count_taps(axes)

        def mean(part: Array, over: tuple[Axis, ...], rows: slice) -> Array:
            y = reduce_taps(part.astype(wide, copy=False), over, np.add, 0)
            if border:
                y += ((pool.taps - windows_of(inside, rows)) * border).astype(wide)
            y /= windows_of(counts, rows).astype(wide)
            return y

        return in_parts(x, axes, x.dtype, mean).astype(x.dtype, copy=False)

    return Kernel(run, parameters=p)


def real_zero(p: RealAverageParameters) -> float:
    """What every tap beside the image adds."""
    return 0.0


def divisor_of_windows(axes: tuple[Axis, ...], p: RealAverageParameters) -> Counts:
    """The taps inside the image, or inside image and pads."""
    return count_taps(axes, p.with_pads)


def lp_pool(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = (sum |x|**p) ** (1/p)`` over each window; the border adds nothing.

    Source:
        ONNX LpPool-2, -11, -18, -22.
    """
    pool, p = read_pool(node), norm_order(node)

    def run(x: Array) -> Array:
        axes = resolve(pool, x.shape[2:], node)
        wide = wide_float(node, x)

        def norm(part: Array, over: tuple[Axis, ...], _: slice) -> Array:
            wider = powers(part.astype(wide, copy=False), p)
            return root(reduce_taps(wider, over, np.add, 0), p)

        return in_parts(x, axes, x.dtype, norm).astype(x.dtype, copy=False)

    return run


def norm_order(node: Node) -> int:
    """The attribute ``p`` of an Lp norm, 2 where absent."""
    p = node.attributes.get("p", 2)
    if not isinstance(p, int) or p < 1:
        raise InvalidModel(f"{node.op} {node.id!r}: p is {p!r}; it must be a positive integer")
    return p


def powers(x: Array, p: int) -> Array:
    """``|x| ** p``."""
    y: Array = np.abs(x) if p == 1 else x * x if p == 2 else np.abs(x) ** p
    return y


def root(sums: Array, p: int) -> Array:
    """``sums ** (1/p)``."""
    y: Array = sums if p == 1 else np.sqrt(sums) if p == 2 else sums ** (1 / p)
    return y


def global_average_pool(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = fl(sum / n)`` over all spatial axes, which stay with size 1.

    Source:
        ONNX GlobalAveragePool-1, -22.
    """

    def run(x: Array) -> Array:
        spatial = spatial_axes(node, x)
        sums = x.sum(axis=spatial, keepdims=True, dtype=wide_float(node, x))
        y: Array = sums / sums.dtype.type(np.prod(x.shape[2:]))
        return y.astype(x.dtype, copy=False)

    return run


def global_lp_pool(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = (sum |x|**p) ** (1/p)`` over all spatial axes, which stay with size 1.

    Source:
        ONNX GlobalLpPool-2, -22.
    """
    p = norm_order(node)

    def run(x: Array) -> Array:
        spatial = spatial_axes(node, x)
        sums = powers(x.astype(wide_float(node, x)), p).sum(axis=spatial, keepdims=True)
        return root(sums, p).astype(x.dtype, copy=False)

    return run


def spatial_axes(node: Node, x: Array) -> tuple[int, ...]:
    """Axes 2 and up, of which a global pool needs one."""
    if x.ndim < 3:
        raise EngineError(f"{node.op} {node.id!r}: shape {x.shape} has no spatial axis")
    return tuple(range(2, x.ndim))


OPERATORS = (
    operator("AveragePool", average_pool, f"{POOL_ATTRIBUTES} count_include_pad"),
    operator("GlobalAveragePool", global_average_pool),
    operator("LpPool", lp_pool, f"{POOL_ATTRIBUTES} p", since=2),
    operator("GlobalLpPool", global_lp_pool, "p", since=2),
)
