"""DequantizeLinear: per tensor, per axis, in blocks; of integer and float codes."""

from collections.abc import Callable

import numpy as np

from engine.errors import EngineError, InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.number_types import FLOAT_CODES, INTEGER_CODES, PACKED, Dtype, round_to
from engine.kernels.operator import CONTRIB, Kernel, Run, Setting, operator
from engine.kernels.quantize_granularity import spread
from engine.kernels.quantize_linear import Code
from engine.kernels.quantize_parameters import (
    DIVISION_TYPES,
    FLOAT32,
    DequantizeParameters,
    check_scale,
    read_dequantize,
)
from engine.profiles.quantization import Scale

_F = np.float32
Centre = Callable[[Array, Array | None], Array]
"""(codes, zero point) -> steps from real 0, float32."""
Operands = tuple[Array, Array, Array | None]
Dequantize = Callable[[Array, Array, Array | None], Array]
"""(codes, scale, zero point), which broadcast -> float32 reals."""
_READ = frozenset([*INTEGER_CODES, *FLOAT_CODES, np.dtype(np.int32)])


def dequantize_linear(q: Array, scale: Scale, zero_point: Code | None) -> Array:
    """``x = fl(fl(q - z) * s)``, eq. (1); the difference is an exact integer.

    Shapes:
        ``scale`` and ``zero_point`` broadcast against ``q`` (*S) -> ``x`` (*S), float32.

    Source:
        ONNX DequantizeLinear-10 to -28.
    """
    x: Array = centre(q, zero_point) * scale
    return x


def centre(q: Array, zero_point: Code | None) -> Array:
    """``fl(q - z)``: the steps of the codes from real 0, float32; exact below 2**24."""
    if zero_point is None:
        return q.astype(_F)
    if q.dtype == np.int32 and zero_point.any():
        return (q.astype(np.int64) - zero_point).astype(_F)
    steps: Array = q.astype(_F)
    steps -= np.asarray(zero_point).astype(_F)
    return steps


def dequantize_operator(node: Node, setting: Setting) -> Kernel:
    """DequantizeLinear as a function of ``(q, scale[, zero_point])``.

    Stages: take the operands, spread the parameters over the codes, centre them on the zero point, the product,
    in float32; rounded once more where the output is narrower. Constants are dequantized once.
    """
    p = read_dequantize(node, setting)
    operands = setting.stage("dequantize.operands", operands_as_given)
    place = setting.stage("dequantize.spread", spread)
    place_zero = setting.stage("dequantize.zero_points", place)
    middle = setting.stage("dequantize.centre", centre)
    middle = middle if p.codes is None else setting.stage("dequantize.constants", middle)
    real = setting.stage("dequantize.real", real_of)(middle)
    read = setting.stage("dequantize.codes", as_stored) if is_packed(p) else as_stored
    if p.codes is not None and not node.input(2):
        read = setting.stage("dequantize.untyped", read)
    where = p.granularity.node

    def run(q: Array, scale: Array, zero_point: Array | None = None) -> Array:
        q, scale, zero_point = operands(p, q, scale, zero_point)
        if q.dtype not in _READ:
            raise Unsupported(f"{where}: codes of type {q.dtype}")
        if p.scale is None:
            check_scale(where, scale)
        if zero_point is not None:
            if zero_point.dtype != q.dtype:
                raise InvalidModel(
                    f"{where}: codes of type {q.dtype}, a zero point of type {zero_point.dtype}"
                )
            zero_point = place_zero(zero_point, q.shape, p.granularity)
        dtype = p.dtype or _output_type(where, scale.dtype)
        reals = real(
            read(q), place(scale.astype(_F, copy=False), q.shape, p.granularity), zero_point
        )
        return reals if dtype == FLOAT32 else round_to(reals, dtype)

    return Kernel(_once(node, setting, run) or run, parameters=p)


def operands_as_given(
    p: DequantizeParameters, q: Array, scale: Array, zero_point: Array | None
) -> Operands:
    """What the node reads."""
    return q, scale, zero_point


def real_of(middle: Centre) -> Dequantize:
    """``fl(middle * s)``."""

    def real(q: Array, scale: Array, zero_point: Array | None) -> Array:
        reals = np.asarray(middle(q, zero_point))
        reals *= scale
        return reals

    return real


def is_packed(p: DequantizeParameters) -> bool:
    """Whether the codes are constants of which several share a byte."""
    return p.codes is not None and p.codes.dtype in PACKED


def as_stored(codes: Array) -> Array:
    """Codes of 2 or 4 bits, as the model's bytes hold them: lowest bits first, two's complement."""
    return codes


def _once(node: Node, setting: Setting, run: Run) -> Run | None:
    """The result itself where all inputs are constants; read-only, because runs share it."""
    inputs = [setting.constant(name) for name in node.inputs]
    if any(each is None and name for each, name in zip(inputs, node.inputs, strict=True)):
        return None
    try:
        reals: Array = run(*inputs)
    except EngineError:
        return None  # said when the node runs, so that the plan can still be read
    reals.setflags(write=False)
    return lambda *_: reals


def _output_type(where: str, scale: Dtype) -> Dtype:
    if scale not in DIVISION_TYPES:
        raise InvalidModel(f"{where}: a {scale} scale needs output_dtype")
    return scale


OPERATORS = (
    operator(
        "DequantizeLinear",
        dequantize_operator,
        "axis block_size output_dtype",
        inputs=(2, 3),
        domains=("", *CONTRIB),
        since=10,
    ),
)
