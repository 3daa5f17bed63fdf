"""The scales and zero points of element-wise operators on codes, read from a node's arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.operator import Setting
from engine.kernels.qlinear_conv import scale_problem

Dtype = np.dtype[Any]


def constants_of(
    node: Node, setting: Setting, places: Sequence[int]
) -> list[Array | None] | None:
    """The arrays at these inputs, None where absent; None where one of them is computed."""
    names = [node.input(place) for place in places]
    arrays = [setting.constant(name) for name in names]
    known = all(each is not None or not name for each, name in zip(arrays, names, strict=True))
    return arrays if known else None


def require_inputs(node: Node, places: Sequence[int]) -> None:
    """Refuses a node without one of these inputs; zero points in between may be absent.

    Raises:
        InvalidModel: an input is missing.
    """
    for place in places:
        if not node.input(place):
            raise InvalidModel(f"{node.op} {node.id!r} has no input {place}; it is required")


def read_scale(node: Node, what: str, scale: Array | None) -> np.float32:
    """One positive, finite float32.

    Raises:
        InvalidModel: it is anything else.
    """
    if scale is None:
        raise InvalidModel(f"{node.op} {node.id!r} has no {what} scale; it is required")
    if scale.dtype != np.float32 or scale.size != 1 or scale.ndim > 1:
        raise InvalidModel(
            f"{node.op} {node.id!r}: the {what} scale is {scale.dtype} {scale.shape}; it must be one "
            f"float32"
        )
    if problem := scale_problem(scale):
        raise InvalidModel(f"{node.op} {node.id!r}: the {what} scale {problem}")
    return np.float32(scale.item())


def read_zero_point(node: Node, what: str, zero_point: Array | None, dtype: Dtype) -> int:
    """One code of that type, 0 where absent.

    Raises:
        InvalidModel: another type, or several of them.
    """
    if zero_point is None:
        return 0
    if zero_point.dtype != dtype or zero_point.size != 1:
        raise InvalidModel(
            f"{node.op} {node.id!r}: the {what} zero point is {zero_point.dtype} "
            f"{zero_point.shape}; it must be one {dtype}"
        )
    return int(zero_point.item())


def code_type(node: Node, candidates: Sequence[Array | None]) -> Dtype | None:
    """The type of the first array that is there; None without any.

    Raises:
        Unsupported: neither int8 nor uint8.
    """
    for each in candidates:
        if each is not None:
            if each.dtype not in RANGES:
                raise Unsupported(
                    f"{node.op} {node.id!r}: {each.dtype} codes; only int8 and uint8 are supported"
                )
            return each.dtype
    return None


def require_codes(node: Node, codes: Sequence[Array], dtype: Dtype) -> None:
    """Refuses codes of another type than the zero points have."""
    for each in codes:
        if each.dtype != dtype:
            raise InvalidModel(
                f"{node.op} {node.id!r}: {each.dtype} codes with {dtype} zero points; they must agree"
            )
