"""QuantizeLinear and DequantizeLinear, per tensor and per axis."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.errors import EngineError, InvalidModel, Unsupported
from engine.ir import Array, Graph, Node
from engine.kernels.operator import Setting, operator
from engine.profiles.quantization import Rule, Scale, divide

_F = np.float32
Code = Array | np.integer[Any]

_OUTPUT_DTYPES: Mapping[int, np.dtype[Any]] = {2: np.dtype(np.uint8), 3: np.dtype(np.int8)}
_CODE_DTYPES = (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.int32))


def quantize_linear(
    x: Array,
    scale: Scale,
    zero_point: Code,
    rule: Rule = divide,
) -> Array:
    """``q = sat(rne(x/s) + z)``, eq. (2).

    Shapes:
        ``scale`` and ``zero_point`` broadcast against ``x`` (*S) -> ``q`` (*S).

    Units:
        ``x`` and ``scale`` real, float32; ``zero_point`` and ``q`` are codes.

    Exact:
        Clipped as a float, so that no quotient is too large; NaN gives the lowest code, as the
        x86 maximum does (the standard is silent).

    Source:
        ONNX QuantizeLinear-10 to -25, 8-bit.
    """
    low, high = RANGES[zero_point.dtype]
    steps = rule(x, scale, np.asarray(zero_point, _F))
    q: Array = np.fmin(np.fmax(steps, _F(low)), _F(high)).astype(zero_point.dtype)
    return q


def dequantize_linear(q: Array, scale: Scale, zero_point: Code | None) -> Array:
    """``x = fl(fl(q - z) * s)``, eq. (1); the difference is an exact integer.

    Shapes:
        ``scale`` and ``zero_point`` broadcast against ``q`` (*S) -> ``x`` (*S), float32.

    Source:
        ONNX DequantizeLinear-10 to -25, 8-bit and int32 codes.
    """
    steps = q
    if zero_point is not None and zero_point.any():
        steps = q.astype(np.int64) - np.asarray(zero_point, np.int64)
    x: Array = steps.astype(_F) * scale
    return x


def quantize_operator(node: Node, setting: Setting) -> Callable[..., Array]:
    """QuantizeLinear as a function of ``(x, scale[, zero_point])``."""
    dtype = _quantized_dtype(node, setting.graph)
    axis = _axis(node, setting.graph)
    rule = setting.profile.quantize

    def run(x: Array, scale: Array, zero_point: Array | None = None) -> Array:
        _check_float(node, x, scale)
        z = np.zeros((), dtype) if zero_point is None else zero_point
        if z.dtype not in RANGES:
            raise Unsupported(
                f"{node.op} {node.id!r}: codes of type {z.dtype}; only 8-bit is supported"
            )
        return quantize_linear(
            x, _spread(node, scale, axis, x), _spread(node, z, axis, x), rule
        )

    return run


def dequantize_operator(node: Node, setting: Setting) -> Callable[..., Array]:
    """DequantizeLinear as a function of ``(q, scale[, zero_point])``."""
    axis = _axis(node, setting.graph)
    if node.attributes.get("output_dtype", 0) not in (0, 1):
        raise Unsupported(
            f"{node.op} {node.id!r}: output_dtype other than float32 is not supported"
        )

    def run(q: Array, scale: Array, zero_point: Array | None = None) -> Array:
        if q.dtype not in _CODE_DTYPES or scale.dtype != _F:
            raise Unsupported(
                f"{node.op} {node.id!r}: {q.dtype} codes with a {scale.dtype} scale; supported: "
                f"int8, uint8, int32 with float32"
            )
        if zero_point is not None:
            zero_point = _spread(node, zero_point, axis, q)
        return dequantize_linear(q, _spread(node, scale, axis, q), zero_point)

    return run


def _check_float(node: Node, x: Array, scale: Array) -> None:
    if x.dtype != _F or scale.dtype != _F:
        raise Unsupported(
            f"{node.op} {node.id!r}: {x.dtype} data with a {scale.dtype} scale; only float32 is supported"
        )


def _quantized_dtype(node: Node, graph: Graph) -> np.dtype[Any]:
    wanted = node.attributes.get("output_dtype", 0)
    zero_point = graph.constant(node.input(2))
    if not isinstance(wanted, int) or (wanted and wanted not in _OUTPUT_DTYPES):
        raise Unsupported(
            f"{node.op} {node.id!r}: output_dtype {wanted}; only uint8 and int8 are supported"
        )
    dtype = _OUTPUT_DTYPES[wanted or 2]
    if zero_point is not None and wanted and zero_point.dtype != dtype:
        raise InvalidModel(
            f"{node.op} {node.id!r}: output_dtype is {dtype}, the zero point {zero_point.dtype}"
        )
    if node.attributes.get("precision", 0) not in (0, 1):
        raise Unsupported(
            f"{node.op} {node.id!r}: precision other than float32 is not supported"
        )
    return dtype


def _axis(node: Node, graph: Graph) -> int | None:
    if node.attributes.get("block_size", 0):
        raise Unsupported(
            f"{node.op} {node.id!r}: block_size is not supported; use per-axis scales"
        )
    axis = node.attributes.get("axis", 1)
    if not isinstance(axis, int):
        raise InvalidModel(f"{node.op} {node.id!r}: axis must be an integer, got {axis!r}")
    return axis if graph.opset >= 13 else None


def _spread(node: Node, parameter: Array, axis: int | None, x: Array) -> Array:
    """A scale or zero point, shaped to broadcast against ``x``."""
    if parameter.size == 1:
        return parameter.reshape(())
    if axis is None or parameter.ndim != 1:
        raise InvalidModel(
            f"{node.op} {node.id!r}: a parameter of shape {parameter.shape} needs opset 13 and "
            f"one dimension"
        )
    if not -x.ndim <= axis < x.ndim or x.shape[axis] != parameter.size:
        raise EngineError(
            f"{node.op} {node.id!r}: {parameter.size} parameters on axis {axis} of a tensor of "
            f"shape {x.shape}"
        )
    shape = [1] * x.ndim
    shape[axis] = parameter.size
    return parameter.reshape(shape)


OPERATORS = (
    operator(
        "QuantizeLinear",
        quantize_operator,
        "axis block_size output_dtype precision saturate",
        inputs=(2, 3),
    ),
    operator(
        "DequantizeLinear",
        dequantize_operator,
        "axis block_size output_dtype",
        inputs=(2, 3),
    ),
)
