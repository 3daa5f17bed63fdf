"""Element-wise operators of two or more tensors besides Add and Mul."""

from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import FLOAT64_ALLOWANCE, SMALLEST_NORMAL, UNIT, gamma
from harness.oracle.elementwise import add
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.piecewise import negated
from harness.oracle.values import UNBOUNDED, Codes, Reals, Silent, Value, point_reals


def subtract(node: Node, inputs: Inputs) -> Reals:
    """``a - b``, as the sum with the negative."""
    return add(inputs.reals(0), negated(inputs.reals(1)))


def divide(node: Node, inputs: Inputs) -> Reals:
    """``a / b``, or ``1 / b``; where b may be 0 the result may be anything."""
    if node.op == "Reciprocal":
        return _quotient(point_reals(np.ones((), np.float32)), inputs.reals(0))
    return _quotient(inputs.reals(0), inputs.reals(1))


def _quotient(a: Reals, b: Reals) -> Reals:
    slack = b.roundings() * b.size()
    low, high = b.low - slack, b.high + slack
    open_ = (low <= 0) & (high >= 0)
    safe = [np.where(open_, 1.0, each) for each in (low, high, b.centre)]
    corners = [x / y for x in (a.low, a.high) for y in safe[:2]]
    least, most = reduce(np.minimum, corners), reduce(np.maximum, corners)
    size = np.maximum(np.abs(least), np.abs(most))
    error = FLOAT64_ALLOWANCE * (a.roundings() + b.roundings() + gamma(4)) * size + 2.0**-149
    error = np.where(open_, 2 * UNBOUNDED, error)
    quantum = (
        None if a.quantum is None else np.asarray(a.quantum) / np.maximum(b.size(), 2.0**-60)
    )
    return Reals(least - error, a.centre / safe[2], most + error, quantum=quantum)


def extremum(node: Node, inputs: Inputs) -> Value:
    """The largest or smallest of all inputs, element by element: monotone, exact."""
    order: Callable[[Array, Array], Array] = np.maximum if node.op == "Max" else np.minimum
    parts = [inputs.value(i) for i in range(len(node.inputs))]
    if all(isinstance(each, Codes) for each in parts):
        ends = [
            reduce(order, [getattr(p, end) for p in parts])
            for end in ("low", "centre", "high")
        ]
        dtype = parts[0].dtype  # type: ignore[union-attr]
        return Codes(dtype, ends[0], ends[1], ends[2], ends[1])
    reals = [each for each in parts if isinstance(each, Reals)]
    if len(reals) != len(parts):
        raise Silent("its inputs have different types", node.where)
    low, centre, high = (
        reduce(order, [getattr(each, end) for each in reals])
        for end in ("low", "centre", "high")
    )
    if all(each.is_point for each in reals):
        low = high = centre
    relative = max(each.relative for each in reals)
    grid = reduce(np.minimum, [np.broadcast_to(each.grid, centre.shape) for each in reals])
    quantum = None
    if all(each.quantum is not None for each in reals):
        quantum = reduce(np.maximum, [np.asarray(each.quantum) for each in reals])
    return Reals(low, centre, high, relative, grid, quantum)


def total(node: Node, inputs: Inputs) -> Reals:
    """Sum, and Mean of all inputs, in any order."""
    parts = [inputs.reals(i) for i in range(len(node.inputs))]
    y = reduce(add, parts)
    if node.op == "Sum" or len(parts) == 1:
        return y
    count = len(parts)
    exact = (np.asarray(y.grid) >= count * SMALLEST_NORMAL) & (count & (count - 1) == 0)
    error = np.where(exact, 0.0, 2 * UNIT * y.size() / count)
    grid = np.where(exact, y.grid / count, 0.0)
    low, centre, high = (each / count for each in (y.low, y.centre, y.high))
    if y.is_point and not error.any():
        return Reals(centre, centre, centre, grid=grid, quantum=y.quantum)
    return Reals(low - error, centre, high + error, grid=grid, quantum=y.quantum)


OPERATORS: Mapping[str, Callable[[Node, Inputs], Value]] = MappingProxyType(
    {
        "Div": divide,
        "Max": extremum,
        "Mean": total,
        "Min": extremum,
        "Reciprocal": divide,
        "Sub": subtract,
        "Sum": total,
    }
)
