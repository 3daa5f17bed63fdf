"""Cast and CastLike between types of real numbers."""

import numpy as np

from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.number_types import (
    FLOAT_CODES,
    PACKED,
    POWER_OF_TWO,
    Dtype,
    round_to,
    to_float8,
    to_power_of_two,
)
from engine.kernels.operator import Run, Setting, operator
from engine.onnx_tensor import element_dtype, type_name

_MODES = ("up", "down", "nearest")


def cast(x: Array, dtype: Dtype, saturate: bool = True, mode: str = "up") -> Array:
    """The same numbers in another type.

    To floats: the nearest, ties to even, infinity out of range; float8 and float8e8m0 by
    ``saturate`` and ``mode``. To integers: the fraction is cut off, then the high bits. To bool:
    whether it is not 0.

    Source:
        ONNX Cast-28.
    """
    if dtype == x.dtype:
        return x
    if dtype == np.bool_:
        truth: Array = x.astype(np.bool_)
        return truth
    if dtype == POWER_OF_TWO:
        return to_power_of_two(x, saturate, mode)
    if dtype in FLOAT_CODES:
        return to_float8(x, dtype, saturate)
    if _is_float(dtype):
        return round_to(x, dtype)
    return _to_integer(x, dtype)


def _is_float(dtype: Dtype) -> bool:
    """Whether a type is a float, those of ml_dtypes (kind V) among them."""
    return dtype.kind == "f" or (dtype.kind == "V" and dtype not in PACKED)


def _to_integer(x: Array, dtype: Dtype) -> Array:
    if x.dtype.kind == "V":
        x = x.astype(np.float32 if _is_float(x.dtype) else np.int8)
    if _is_float(x.dtype) and dtype != np.uint64:
        # numpy leaves a float that the type cannot hold to the processor; int64 makes it one rule
        x = x.astype(np.int64)
    if dtype in PACKED:
        return x.astype(np.int8).astype(dtype)
    whole: Array = x.astype(dtype)
    return whole


def cast_operator(node: Node, setting: Setting) -> Run:
    """Cast as a function of ``x``."""
    saturate, mode = _how(node)
    number = node.attributes.get("to")
    dtype = element_dtype(number) if isinstance(number, int) else None
    if dtype is None:
        kind = type_name(number) if isinstance(number, int) else repr(number)
        raise Unsupported(
            f"Cast {node.id!r} to {kind}: only types of real numbers are supported"
        )
    return lambda x: cast(x, dtype, saturate, mode)


def cast_like_operator(node: Node, setting: Setting) -> Run:
    """CastLike as a function of ``(x, like)``."""
    saturate, mode = _how(node)
    return lambda x, like: cast(x, like.dtype, saturate, mode)


def _how(node: Node) -> tuple[bool, str]:
    mode = node.attributes.get("round_mode", "up")
    if mode not in _MODES:
        raise InvalidModel(
            f"{node.op} {node.id!r}: round_mode {mode!r}; use up, down or nearest"
        )
    return node.attributes.get("saturate", 1) != 0, str(mode)


OPERATORS = (
    operator("Cast", cast_operator, "to saturate round_mode", inputs=1, since=6),
    operator("CastLike", cast_like_operator, "saturate round_mode", inputs=2, since=15),
)
