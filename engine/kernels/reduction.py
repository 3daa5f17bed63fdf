"""Reductions over axes, and sums and products along one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Graph, Node
from engine.kernels.operator import Kernel, Operator, Setting, operator
from engine.kernels.pooling import lowest

Axes = tuple[int, ...]
Reduce = Callable[[Array, Axes, bool], Array]
"""(x, axes, keepdims) -> y, all values of an empty set alike."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """The attributes of a reduction: ``axes`` is None where they are an input or left out."""

    axes: Axes | None
    keep: bool
    none_if_empty: bool

    def resolve(self, given: Array | None, rank: int, node: Node) -> Axes:
        """The axes of a tensor of that rank, non-negative: all of them where none are named.

        Raises:
            EngineError: an axis outside the rank, or one named twice.
        """
        named = self.axes
        if given is not None:
            named = tuple(int(each) for each in np.reshape(given, -1))
        if not named:
            return () if self.none_if_empty else tuple(range(rank))
        if not all(-rank <= each < rank for each in named):
            raise EngineError(
                f"{node.op} {node.id!r}: axes {named} of a tensor of rank {rank}"
            )
        axes = tuple(each % rank for each in named)
        if len(set(axes)) != len(axes):
            raise EngineError(f"{node.op} {node.id!r}: axes {named} name one axis twice")
        return axes


def read_reduction(node: Node) -> Reduction:
    """The attributes of a reduction, checked."""
    axes: Any = node.attributes.get("axes")
    if axes is not None and not isinstance(axes, tuple):
        raise InvalidModel(f"{node.op} {node.id!r}: axes must be integers, got {axes!r}")
    return Reduction(
        None if axes is None else tuple(int(each) for each in axes),
        bool(node.attributes.get("keepdims", 1)),
        bool(node.attributes.get("noop_with_empty_axes", 0)),
    )


@dataclass(frozen=True, slots=True)
class ReductionParameters:
    """One reduction; ``x_dtype`` is the type of its codes where a rule put it on codes.

    ``axes`` is None where they are computed or left out; ``data`` and ``made`` name what is reduced and
    the result in ``graph``.
    """

    node: str
    op: str
    x_dtype: np.dtype[Any] | None
    axes: Axes | None
    data: str
    made: str
    graph: Graph = field(compare=False, repr=False)


def reducing(reduce: Reduce) -> Callable[[Node, Setting], Kernel]:
    """How a reduction is built: axes from an attribute, or from an input (opset 13 or 18 on).

    Without axes all are reduced; or, with ``noop_with_empty_axes``, none, and only what the
    operator does to single elements is done.
    """

    def build(node: Node, setting: Setting) -> Kernel:
        reduction = read_reduction(node)
        p = _parameters(node, reduction, setting)
        on_codes = setting.stage("reduce.codes", as_it_is)(reduce, p)

        def run(x: Array, axes: Array | None = None) -> Array:
            where = reduction.resolve(axes, x.ndim, node)
            return np.asarray(on_codes(x, where, reduction.keep)).astype(x.dtype, copy=False)

        return Kernel(run, parameters=p)

    return build


def _parameters(node: Node, reduction: Reduction, setting: Setting) -> ReductionParameters:
    given: Any = node.attributes.get("x_dtype")
    dtype, named = None if given is None else np.dtype(given), setting.constant(node.input(1))
    axes = reduction.axes if named is None else tuple(int(each) for each in named.reshape(-1))
    data, made = node.inputs[0], node.outputs[0]
    return ReductionParameters(node.id, node.op, dtype, axes, data, made, setting.graph)


def as_it_is(reduce: Reduce, p: ReductionParameters) -> Reduce:
    """The reduction of reals is that of codes."""
    return reduce


def widened(x: Array) -> Array:
    """float16 and bfloat16 as float32, everything else as it is."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 and x.dtype.kind not in "iu" else x


def real(x: Array) -> Array:
    """As floats: integers as float64, narrow floats as float32."""
    return x.astype(np.float64) if x.dtype.kind in "iub" else widened(x)


def total(x: Array, axes: Axes, keep: bool) -> Array:
    """``sum x``; integers wrap in their own type, an empty sum is 0."""
    wide = widened(x)
    y: Array = wide.sum(axis=axes, keepdims=keep, dtype=wide.dtype)
    return y


def mean(x: Array, axes: Axes, keep: bool) -> Array:
    """``sum x / n``; of integers the exact quotient, truncated toward zero."""
    count = int(np.prod([x.shape[each] for each in axes]))
    if x.dtype.kind in "iu":
        sums = x.sum(axis=axes, keepdims=keep, dtype=np.int64)
        if not count:
            raise ValueError("the mean of no integers")
        quotient: Array = np.sign(sums) * (np.abs(sums) // count)
        return quotient
    wide = widened(x)
    y: Array = wide.sum(axis=axes, keepdims=keep, dtype=wide.dtype) / wide.dtype.type(count)
    return y


def product(x: Array, axes: Axes, keep: bool) -> Array:
    """``prod x``; integers wrap in their own type, an empty product is 1."""
    wide = widened(x)
    y: Array = wide.prod(axis=axes, keepdims=keep, dtype=wide.dtype)
    return y


def largest(x: Array, axes: Axes, keep: bool) -> Array:
    """``max x``; of nothing minus infinity, or the lowest integer, or False."""
    y: Array = x.max(axis=axes, keepdims=keep, initial=lowest(x.dtype))
    return y


def smallest(x: Array, axes: Axes, keep: bool) -> Array:
    """``min x``; of nothing infinity, or the highest integer, or True."""
    kind = x.dtype.kind
    most = np.iinfo(x.dtype).max if kind in "iu" else True if kind == "b" else np.inf
    y: Array = x.min(axis=axes, keepdims=keep, initial=most)
    return y


def sum_of_magnitudes(x: Array, axes: Axes, keep: bool) -> Array:
    """``sum |x|``."""
    return total(np.abs(x), axes, keep)


def euclidean(x: Array, axes: Axes, keep: bool) -> Array:
    """``sqrt(sum x**2)``."""
    y: Array = np.sqrt(sum_of_squares(real(x), axes, keep))
    return y


def sum_of_squares(x: Array, axes: Axes, keep: bool) -> Array:
    """``sum x**2``."""
    wide = widened(x)
    return total(wide * wide, axes, keep)


def logarithm_of_sum(x: Array, axes: Axes, keep: bool) -> Array:
    """``log(sum x)``, minus infinity of nothing."""
    y: Array = np.log(total(real(x), axes, keep))
    return y


def logarithm_of_sum_of_powers(x: Array, axes: Axes, keep: bool) -> Array:
    """``log(sum exp(x)) = m + log(sum exp(x - m))`` with m the largest x, where that is finite."""
    wide = real(x)
    top = largest(wide, axes, True)
    top = np.where(np.isfinite(top), top, 0).astype(wide.dtype)
    sums = np.exp(wide - top).sum(axis=axes, keepdims=True, dtype=wide.dtype)
    y: Array = top + np.log(sums)
    return y if keep else y.squeeze(axis=axes)


def running(combine: np.ufunc, unit: int) -> Callable[[Node, Setting], Callable[..., Array]]:
    """``y[i] = combine of x[0] to x[i]`` along the axis that is the second input.

    ``exclusive`` leaves out x[i] itself; ``reverse`` runs from the end.

    Source:
        ONNX CumSum-11, -14; CumProd-26.
    """

    def build(node: Node, setting: Setting) -> Callable[..., Array]:
        exclusive = bool(node.attributes.get("exclusive", 0))
        backward = bool(node.attributes.get("reverse", 0))

        def run(x: Array, axis: Array) -> Array:
            if axis.size != 1 or not -x.ndim <= int(axis.reshape(())) < x.ndim:
                raise EngineError(
                    f"{node.op} {node.id!r}: axis {axis} of a tensor of shape {x.shape}"
                )
            along = np.moveaxis(x, int(axis.reshape(())), 0)
            along = along[::-1] if backward else along
            y = combine.accumulate(along, axis=0, dtype=x.dtype)
            if exclusive and len(y):
                y = np.concatenate([np.full_like(y[:1], unit), y[:-1]])
            y = y[::-1] if backward else y
            return np.ascontiguousarray(np.moveaxis(y, 0, int(axis.reshape(()))))

        return run

    return build


_REDUCTIONS: Mapping[str, Reduce] = {
    "ReduceSum": total,
    "ReduceMean": mean,
    "ReduceProd": product,
    "ReduceMax": largest,
    "ReduceMin": smallest,
    "ReduceL1": sum_of_magnitudes,
    "ReduceL2": euclidean,
    "ReduceSumSquare": sum_of_squares,
    "ReduceLogSum": logarithm_of_sum,
    "ReduceLogSumExp": logarithm_of_sum_of_powers,
}

_ATTRIBUTES = "axes keepdims noop_with_empty_axes"

OPERATORS: tuple[Operator, ...] = (
    *(
        operator(name, reducing(reduce), _ATTRIBUTES, inputs=(1, 2))
        for name, reduce in _REDUCTIONS.items()
    ),
    operator("CumSum", running(np.add, 0), "exclusive reverse", inputs=2, since=11),
    operator("CumProd", running(np.multiply, 1), "exclusive reverse", inputs=2, since=26),
)
