"""The record of one product of matrices of codes, and its stages, each a pure function.

Loaded once: ``weights``, ``accumulate`` (prepares the sum), ``scales``, ``requantization`` (all scales
of a quantized result), ``rescale`` or ``to_reals``. Run each time: rows -> center -> sum -> bias ->
rescale -> round -> store -> activate, or to reals. A fault replaces one of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.arithmetic import RANGES, Int32
from engine.ir import Array, Graph
from engine.kernels.known_shape import Shape, known_shape
from engine.kernels.matmul_blocks import exact_parts
from engine.profiles import Requantization
from engine.profiles.matmul import ToReals

Sums = Callable[[Array], Int32]
"""Centred codes of a (..., M, K) -> their sums with the weights (..., M, N)."""
Steps = Callable[[Array], Array]
"""Sums -> unrounded steps of y."""
Clip = Callable[[Array, int, int], Array]


@dataclass(frozen=True, slots=True)
class MatMulParameters:
    """One product; b as the kernel multiplies it, (..., K, N), its parameters on the last axis.

    ``a_scale``, ``a_zero_point`` have one element or one for each row, (M, 1); ``b_scale``,
    ``b_zero_point`` one or N. ``bias`` is int32, in steps of ``alpha * a_scale * b_scale``;
    ``float_bias`` real. ``b_is_vector``: b was a row of K, and the result has no last axis;
    ``b_turned``: b was (N, K). Without ``y_dtype`` the result is real. ``low`` and ``high`` are the
    bounds of the activation in output codes, ``bounds`` the real ones. ``a`` names the codes of a in
    ``graph``, ``a_dtype`` their type, where it is known.
    """

    node: str
    op: str
    a_scale: Array
    a_zero_point: Array
    b: Array
    b_scale: Array
    b_zero_point: Array
    turn_a: bool = False
    b_is_vector: bool = False
    alpha: float = 1.0
    bias: Array | None = None
    float_bias: Array | None = None
    y_dtype: np.dtype[Any] | None = None
    y_scale: np.float32 = np.float32(1)  # noqa: RUF009 - a number
    y_zero_point: int = 0
    activation: str = ""
    low: int = 0
    high: int = 0
    bounds: tuple[float, float] = (-np.inf, np.inf)
    b_turned: bool = False
    a_dtype: np.dtype[Any] | None = None
    a: str = ""
    graph: Graph | None = field(default=None, compare=False, repr=False)

    @property
    def same_for_rows(self) -> bool:
        """Whether parameters are those of the tensor or of columns, so that rows can be parted."""
        given = (self.a_scale, self.a_zero_point, self.b_scale, self.b_zero_point, self.bias)
        return all(
            each is None or each.size == 1 or each.size == each.shape[-1] > 1 for each in given
        )

    @property
    def result(self) -> np.dtype[Any]:
        """The type of y."""
        integer = np.int32 if self.op == "MatMulInteger" else np.float32
        return self.y_dtype or np.dtype(integer)

    @property
    def a_shape(self) -> Shape | None:
        """The shape of a, where the graph fixes it."""
        return known_shape(self.graph, self.a) if self.graph else None

    @property
    def depth(self) -> int:
        """K."""
        return int(self.b.shape[-2])

    @property
    def columns(self) -> int:
        """N."""
        return int(self.b.shape[-1])


def rows_of_a(a: Array, p: MatMulParameters) -> Array:
    """The codes of a as (..., M, K)."""
    return np.swapaxes(a, -1, -2) if p.turn_a else a


def subtract_a(a: Array, p: MatMulParameters) -> Array:
    """``qa - az``, int16."""
    difference: Array = a.astype(np.int16)
    return difference - p.a_zero_point.astype(np.int16) if p.a_zero_point.any() else difference


def subtract_b(p: MatMulParameters) -> Array:
    """``qb - bz``, int16."""
    difference: Array = p.b.astype(np.int16)
    return difference - p.b_zero_point.astype(np.int16) if p.b_zero_point.any() else difference


def b_scales(p: MatMulParameters) -> Array:
    """One scale for all columns, or one for each."""
    return p.b_scale


def multiply(p: MatMulParameters, b: Array) -> Sums:
    """``acc = sum (qa - az)(qb - bz)``, wrapped to int32.

    Exact:
        Float32 sums of integers are exact in any order while every partial sum is below 2**24; K is
        cut where they could pass that, and the parts are added in int32, which wraps.
    """
    matrix = b.astype(np.float32)
    first, *others = exact_parts(matrix)

    def run(a: Array) -> Int32:
        rows = a.astype(np.float32)
        acc: Int32 = np.matmul(rows[..., first], matrix[..., first, :]).astype(np.int32)
        for part in others:
            acc += np.matmul(rows[..., part], matrix[..., part, :]).astype(np.int32)
        return acc

    return run


def add_bias(acc: Int32, bias: Array) -> Int32:
    """``acc + c`` in int32, which wraps."""
    total: Int32 = acc + bias
    return total


def as_given(r: Requantization, p: MatMulParameters) -> Requantization:
    """Scales and zero point of the result as the model has them."""
    return r


def steps_of_sums(steps: Steps, p: MatMulParameters) -> Steps:
    """``v = acc * alpha*as*bs/ys``, as the profile computes it; with the zero point in some."""
    return steps


def reals_of_sums(reals: ToReals, p: MatMulParameters) -> ToReals:
    """``alpha*as*bs * acc + bias``, as the profile computes it."""
    return reals


def store(whole: Array, p: MatMulParameters, offset: int, clip: Clip) -> Array:
    """``sat(v + offset)`` of rounded steps; ``clip`` is the profile's way to saturate."""
    assert p.y_dtype is not None
    low, high = RANGES[p.y_dtype]
    codes: Array = (clip(whole, low - offset, high - offset) + offset).astype(p.y_dtype)
    return codes


def clamp(codes: Array, p: MatMulParameters) -> Array:
    """The activation in the domain of codes: ``min(max(q, low), high)``, R04."""
    clamped: Array = np.minimum(np.maximum(codes, p.low), p.high)
    return clamped
