"""Operators that step: Cast, Round, Ceil, Floor, Sign; and those that say what is already known.

Where a set reaches over a step, both sides are allowed. Source: ONNX Cast-19..25, Round-22, Ceil-13,
Floor-13, Sign-13. A float that is out of the range of an integer type is "undefined" to Cast: any
code is allowed there.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import EXACT_STEPS, UNIT
from harness.oracle.float_codes import or_no_number, round_to_floats
from harness.oracle.graph import ELEMENT_TYPES, Node
from harness.oracle.inputs import Inputs
from harness.oracle.quantize import reals_of_floats
from harness.oracle.values import (
    CODE_TYPES,
    FLOAT_CODES,
    UNBOUNDED,
    Codes,
    Reals,
    Silent,
    Value,
    point_codes,
)

_STEPS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {"Ceil": np.ceil, "Floor": np.floor, "Round": np.rint, "Sign": np.sign}
)


def step(node: Node, inputs: Inputs) -> Value:
    """A function that rises in steps, on both ends; Round takes halves to even."""
    f = _STEPS[node.op]
    x = inputs.value(0)
    if isinstance(x, Codes):
        if node.op != "Sign":
            raise Silent("integers are not rounded", node.where)
        return Codes(x.dtype, np.sign(x.low), np.sign(x.centre), np.sign(x.high), x.centre)
    low, centre, high = _ends(x, f)
    grid = np.where(np.abs(centre) <= EXACT_STEPS, 1.0, 0.0)
    return Reals(low, centre, high, 0.0, grid)


def _ends(x: Reals, f: Callable[[Array], Array]) -> tuple[Array, Array, Array]:
    """The steps of the ends with their roundings; the same array thrice where there is no doubt."""
    slack = x.roundings() * x.size()
    centre = f(x.centre)
    low, high = f(x.low - slack), f(x.high + slack)
    if (low == high).all():
        return centre, centre, centre
    return low, centre, high


def cast(node: Node, inputs: Inputs) -> Value:
    """Another element type: integers to float32 in one rounding, floats to integers toward zero.

    Raises:
        Silent: types besides float32 and the integers.
    """
    dtype = ELEMENT_TYPES.get(int(node.attributes.get("to", 1)))
    if node.op == "CastLike":
        like = inputs.value(1)
        dtype = like.dtype if isinstance(like, Codes) else np.dtype(np.float32)
    if dtype is None:
        raise Silent(f"type {node.attributes.get('to')} is not judged", node.where)
    x = inputs.value(0)
    if dtype == np.bool_ and not x.is_point:
        raise Silent("bool of values in doubt is not judged", node.where)
    if isinstance(x, Codes) and x.dtype in FLOAT_CODES:
        x = reals_of_floats(x, 1.0)
    if dtype in FLOAT_CODES:
        wide = x if isinstance(x, Reals) else _to_reals(x)
        return _to_floats(wide, dtype, saturate=bool(node.attributes.get("saturate", 1)))
    if isinstance(x, Reals):
        return x if dtype == np.float32 else _to_codes(x, dtype)
    return _to_reals(x) if dtype == np.float32 else _converted(x, dtype)


def _to_reals(x: Codes) -> Reals:
    exact = np.maximum(np.abs(x.low), np.abs(x.high)) <= EXACT_STEPS
    relative = 0.0 if exact.all() else UNIT
    grid = np.where(exact, 1.0, 0.0)
    other = None if x.other is x.centre else x.other
    return Reals(x.low, x.centre, x.high, relative, grid, 1.0, other=other)


def _to_codes(x: Reals, dtype: np.dtype[np.generic]) -> Codes:
    if dtype == np.bool_:
        return point_codes(x.centre != 0)
    low, centre, high = _ends(x, np.trunc)
    return _in_range(low, centre, high, dtype)


def _to_floats(x: Reals, dtype: np.dtype[np.generic], *, saturate: bool) -> Codes:
    error: Array = x.roundings() * x.size()
    ends = x.low, x.centre, x.high
    return or_no_number(round_to_floats(ends, error, dtype, None, saturate=saturate), x)


def _converted(x: Codes, dtype: np.dtype[np.generic]) -> Codes:
    if x.is_point:
        array = x.centre.astype(np.int64).astype(dtype).astype(np.float64)
        return Codes(dtype, array, array, array, array)
    return _in_range(x.low, x.centre, x.high, dtype)


def _in_range(low: Array, centre: Array, high: Array, dtype: np.dtype[np.generic]) -> Codes:
    """The codes themselves, or all of the type where one of them is none of its."""
    least, most = CODE_TYPES.get(dtype, (-(2.0**53), 2.0**53))
    outside = (low < least) | (high > most) | (np.abs(high) >= UNBOUNDED)
    if outside.any():
        low, high = np.where(outside, least, low), np.where(outside, most, high)
        centre = np.clip(centre, least, most)
    return Codes(dtype, low, centre, high, centre)


def unchanged(node: Node, inputs: Inputs) -> Value:
    """Dropout that does not train."""
    if inputs.has(2) and bool(inputs.array(2)):
        raise Silent("training drops at random", node.where)
    return inputs.value(0)


OPERATORS: Mapping[str, Callable[[Node, Inputs], Value]] = MappingProxyType(
    {**dict.fromkeys(_STEPS, step), "Cast": cast, "CastLike": cast, "Dropout": unchanged}
)
