"""Softmax, LogSoftmax and Hardmax, with the two-dimensional form of opsets below 13."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Node
from engine.kernels.elementwise import BLOCK, blocks, require_float
from engine.kernels.number_types import round_to
from engine.kernels.operator import Kernel, Operator, Setting, operator

Rows = Callable[[Array], Array]
"""A function of the rows of a float64 matrix, which it may overwrite."""


def exponentials(rows: Array) -> Array:
    """``exp(x - max x)`` of each row, in place."""
    rows -= rows.max(axis=1, keepdims=True)
    return np.exp(rows, out=rows)


def softmax_rows(rows: Array) -> Array:
    """``exp(x) / sum exp(x)`` of each row, in place."""
    exponentials(rows)
    rows /= rows.sum(axis=1, keepdims=True)
    return rows


def log_softmax_rows(rows: Array) -> Array:
    """``x - log(sum exp(x))`` of each row, in place."""
    rows -= rows.max(axis=1, keepdims=True)
    rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
    return rows


def hardmax_rows(rows: Array) -> Array:
    """1 at the first maximum of each row, else 0."""
    y = np.zeros_like(rows)
    y[np.arange(len(rows)), rows.argmax(axis=1)] = 1.0
    return y


def along(node: Node, x: Array, axis: int, coerced: bool, function: Rows) -> Array:
    """A function of rows, applied along an axis, or to all axes from it on where ``coerced``.

    A few rows are worked on at a time; the result has the type of ``x``.

    Source:
        ONNX Softmax-1 and -11 (coerced to two dimensions, axis 1), Softmax-13.
    """
    if x.ndim == 0:
        return along(node, x.reshape(1), axis, coerced, function).reshape(())
    if not -x.ndim <= axis < x.ndim + coerced:
        raise EngineError(f"{node.op} {node.id!r}: axis {axis} of a tensor of rank {x.ndim}")
    if x.size == 0:
        return x
    if coerced:
        split = axis + x.ndim if axis < 0 else axis
        rows = x.reshape(math.prod(x.shape[:split]), math.prod(x.shape[split:]))
        return _by_rows(rows, function).reshape(x.shape)
    moved = np.moveaxis(x, axis, -1)
    y = _by_rows(moved.reshape(-1, moved.shape[-1]), function).reshape(moved.shape)
    return np.ascontiguousarray(np.moveaxis(y, -1, axis))


def _by_rows(rows: Array, function: Rows) -> Array:
    y = np.empty(rows.shape, rows.dtype)
    for part in blocks(len(rows), max(1, BLOCK // rows.shape[1])):
        y[part] = round_to(function(rows[part].astype(np.float64)), rows.dtype)
    return y


def axis_of(node: Node, default: int) -> int:
    """The attribute ``axis``."""
    axis = node.attributes.get("axis", default)
    if not isinstance(axis, int):
        raise InvalidModel(f"{node.op} {node.id!r}: axis must be an integer, got {axis!r}")
    return axis


def default_axis(opset: int) -> int:
    """Where a row begins if nothing is said: axis 1, from opset 13 on the last one."""
    return -1 if opset >= 13 else 1


@dataclass(frozen=True, slots=True)
class RowParameters:
    """Which elements make a row: those of ``axis``, or of all from it on where ``coerced``.

    ``said`` says whether the model gives the axis.
    """

    axis: int
    coerced: bool
    said: bool


def rows_as_given(p: RowParameters) -> RowParameters:
    """The rows of the model's opset."""
    return p


def of_rows(name: str, function: Rows) -> Operator:
    """An operator that maps rows of floats, evaluated in float64 and rounded once."""

    def build(node: Node, setting: Setting) -> Kernel:
        opset = setting.graph.opset
        p = RowParameters(
            axis_of(node, default_axis(opset)), opset < 13, "axis" in node.attributes
        )
        rows = setting.stage("rows.parameters", rows_as_given)(p)

        def run(x: Array) -> Array:
            require_float(node, x)
            return along(node, x, rows.axis, rows.coerced, function)

        return Kernel(run, parameters=p)

    return operator(name, build, "axis")


OPERATORS = (
    of_rows("Softmax", softmax_rows),
    of_rows("LogSoftmax", log_softmax_rows),
    of_rows("Hardmax", hardmax_rows),
)
