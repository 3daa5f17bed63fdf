"""Everything that fixes one element-wise operation on codes, whichever form it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.errors import InvalidModel
from engine.ir import Array, Graph, Node
from engine.kernels.qlinear_parameters import code_type, read_scale, read_zero_point
from engine.profiles.elementwise_exact import Operand, Operands

Dtype = np.dtype[Any]

PAIRS = ("QLinearAdd", "QLinearSub", "QLinearMul", "QLinearDiv")
"""Operators whose inputs are a, its scale and zero point, b, its own, those of y."""


@dataclass(frozen=True, slots=True)
class CombinationParameters:
    """Everything a load reads from one node.

    ``low`` and ``high`` are the bounds of an activation in codes (R11), ``bounds`` the real ones.
    ``codes`` names the tensors in ``graph``, whose shapes are asked for by triggers only.
    """

    node: str
    op: str
    dtype: Dtype
    operands: Operands
    activation: str
    low: int
    high: int
    bounds: tuple[float, float]
    graph: Graph = field(compare=False, repr=False)
    codes: tuple[str, ...] = ()


def zero_points(
    arrays: Mapping[int, Array | None], places: Sequence[int], pair: bool
) -> list[Array | None]:
    """Those of the output and of the inputs, None where computed or absent; ``pair``: of PAIRS."""
    of_y = 7 if pair else 1
    return [arrays.get(of_y), *(arrays.get(place + 2) for place in places)]


def read_combination(
    node: Node,
    graph: Graph,
    arrays: Mapping[int, Array | None],
    places: Sequence[int],
    codes: Sequence[Array],
) -> CombinationParameters:
    """The record of one operation from its arrays by place; ``codes`` also tell the type.

    Raises:
        InvalidModel: scales or zero points that are missing, of another type or not one each.
        Unsupported: codes that are neither int8 nor uint8.
    """
    pair = node.op in PAIRS
    dtype = code_type(node, [*zero_points(arrays, places, pair), *codes])
    assert dtype is not None
    factors = _factors(node, len(places))
    inputs = tuple(
        Operand(
            read_scale(node, f"input {i}", arrays.get(place + 1)),
            read_zero_point(node, f"input {i}", arrays.get(place + 2), dtype),
            factor,
        )
        for i, (place, factor) in enumerate(zip(places, factors, strict=True))
    )
    of_y = 6 if pair else 0
    y_scale = read_scale(node, "output", arrays.get(of_y))
    y_zero_point = read_zero_point(node, "output", arrays.get(of_y + 1), dtype)
    extra: Mapping[str, Any] = node.attributes
    low, high = RANGES[dtype]
    return CombinationParameters(
        node.id,
        node.op,
        dtype,
        Operands(inputs, y_scale, y_zero_point, dtype.kind == "i"),
        extra.get("activation", ""),
        extra.get("low", low),
        extra.get("high", high),
        extra.get("bounds", (-np.inf, np.inf)),
        graph,
        tuple(node.inputs[place] for place in places),
    )


def _factors(node: Node, count: int) -> tuple[float, ...]:
    if node.op == "QLinearSub":
        return 1.0, -1.0
    given: Any = node.attributes.get("coefficients", (1.0,) * count)
    if len(given) != count or not np.isfinite(given).all():
        raise InvalidModel(
            f"{node.op} {node.id!r}: coefficients {given} for {count} inputs; give a finite one each"
        )
    return tuple(float(each) for each in given)
