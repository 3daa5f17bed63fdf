"""Operators that multiply matrices of codes: ONNX's and onnxruntime's, each read into one record."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.dynamic_quantize import dynamic_quantizer
from engine.kernels.float_matmul import float_attribute
from engine.kernels.matmul import product, product_of_computed, weighted_sums
from engine.kernels.matmul_foreseen import (
    A_ZERO,
    Arrays,
    Read,
    foreseen,
    foreseen_dynamic,
    with_a,
)
from engine.kernels.matmul_stages import MatMulParameters
from engine.kernels.operator import CONTRIB, Kernel, Setting, operator
from engine.kernels.qlinear_conv import scale_problem

_F = np.float32
_ONE, _ZERO = np.ones((), _F), np.zeros((), np.int8)


def _prepared(read: Read, node: Node, setting: Setting) -> Kernel:
    """A kernel whose first input is a's codes: prepared once where all others are constants."""
    arrays = [setting.constant(name) for name in node.inputs]
    arrays[0] = None
    if all(
        each is not None or not name
        for each, name in zip(arrays[1:], node.inputs[1:], strict=True)
    ):
        p = read(node, arrays)
        fixed = product(p, setting)
        return Kernel(
            lambda a, *_: _run(node, fixed, a, p), parameters=with_a(p, node, setting)
        )

    def run(a: Array, *given: Array | None) -> Array:
        p = read(node, (None, *given))
        return _run(node, product_of_computed(p, setting), a, p)

    return Kernel(run, parameters=foreseen(read, node, setting))


def _run(node: Node, kernel: Callable[[Array], Array], a: Array, p: MatMulParameters) -> Array:
    if a.dtype not in RANGES:
        raise Unsupported(
            f"{node.op} {node.id!r}: codes of type {a.dtype}; it takes int8 and uint8"
        )
    wanted = p.a_zero_point.dtype
    if node.input(A_ZERO[node.op]) and a.dtype != wanted:
        raise InvalidModel(
            f"{node.op} {node.id!r}: a is {a.dtype}, its zero point {wanted}; they must agree"
        )
    return kernel(a)


def read_qlinear_matmul(node: Node, arrays: Arrays) -> MatMulParameters:
    """``y = sat(rne(acc * as*bs/ys) + yz)``; a fused node has an int32 bias as input 8.

    Source:
        ONNX QLinearMatMul-10, -21.
    """
    _, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = arrays[:8]
    y = _output(node, y_scale, y_zero)
    return MatMulParameters(
        node.id,
        node.op,
        _rows(_scale(node, "a", a_scale)),
        _rows(_zero(node, "a", a_zero)),
        _matrix(node, b),
        _scale(node, "b", b_scale),
        _zero_of(node, b, b_zero),
        b_is_vector=_is_vector(b),
        a_dtype=_dtype(a_zero),
        bias=arrays[8] if len(arrays) > 8 else None,
        **y,
        **_activation(node, y["y_dtype"]),
    )


def _activation(node: Node, dtype: np.dtype[Any] | None) -> dict[str, Any]:
    """What a fused node says about an activation in codes."""
    if dtype is None or "activation" not in node.attributes:
        return {}
    names = ("activation", "low", "high", "bounds")
    return {name: node.attributes[name] for name in names if name in node.attributes}


def read_matmul_integer(node: Node, arrays: Arrays) -> MatMulParameters:
    """``y = acc``, int32.

    Source:
        ONNX MatMulInteger-10.
    """
    _, b, a_zero, b_zero = (*arrays, None, None)[:4]
    dtype = _dtype(a_zero)
    a_zero = _ZERO if a_zero is None else a_zero
    rows = a_zero if a_zero.ndim > 1 else _rows(a_zero)
    return MatMulParameters(
        node.id,
        node.op,
        _ONE,
        rows,
        _matrix(node, b),
        _ONE,
        _zero_of(node, b, b_zero),
        b_is_vector=_is_vector(b),
        a_dtype=dtype,
    )


def read_matmul_integer_to_float(node: Node, arrays: Arrays) -> MatMulParameters:
    """``y = fl(acc * as*bs) + bias``, float32.

    Source:
        onnxruntime com.microsoft MatMulIntegerToFloat-1.
    """
    _, b, a_scale, b_scale, a_zero, b_zero, bias = (*arrays, None, None, None)[:7]
    return MatMulParameters(
        node.id,
        node.op,
        _rows(_scale(node, "a", a_scale)),
        _rows(_ZERO if a_zero is None else a_zero),
        _matrix(node, b),
        _scale(node, "b", b_scale),
        _zero_of(node, b, b_zero),
        b_is_vector=_is_vector(b),
        a_dtype=_dtype(a_zero),
        float_bias=bias,
    )


def read_qgemm(node: Node, arrays: Arrays) -> MatMulParameters:
    """``y = sat(rne(alpha*as*bs/ys * (acc + c)) + yz)``, or real without y's parameters.

    The bias c counts steps of ``alpha * as * bs``: onnxruntime adds it before alpha.

    Source:
        onnxruntime com.microsoft QGemm-1, contrib_ops/cpu/quantization/quant_gemm.cc.
    """
    _, a_scale, a_zero, b, b_scale, b_zero, c, y_scale, y_zero = (*arrays, None, None, None)[
        :9
    ]
    turned = bool(node.attributes.get("transB", 0))
    y = _output(node, y_scale, y_zero) if y_scale is not None else {}
    return MatMulParameters(
        node.id,
        node.op,
        _rows(_scale(node, "a", a_scale)),
        _rows(_zero(node, "a", a_zero)),
        np.ascontiguousarray(_matrix(node, b).T) if turned else _matrix(node, b),
        _scale(node, "b", b_scale),
        _zero_of(node, b, b_zero),
        turn_a=bool(node.attributes.get("transA", 0)),
        b_turned=turned,
        a_dtype=_dtype(a_zero),
        alpha=float(_F(float_attribute(node, "alpha", 1.0))),
        bias=c,
        **y,
        **_activation(node, y.get("y_dtype")),
    )


def dynamic_quantize_matmul(node: Node, setting: Setting) -> Kernel:
    """DynamicQuantizeLinear of a, then ``fl(acc * as*bs) + bias``.

    Source:
        onnxruntime com.microsoft DynamicQuantizeMatMul-1.
    """
    quantized = setting.profile.matmul_activation or dynamic_quantizer(node, setting)
    of_reals = setting.replaced.get("matmul.dynamic")  # a fault's
    b, b_scale, b_zero = (setting.constant(node.input(i)) for i in (1, 2, 3))
    fixed = None
    if b is not None and b_scale is not None and bool(node.input(3)) == (b_zero is not None):
        known = (None, b, _ONE, b_scale, np.zeros((), np.uint8), b_zero)
        fixed = weighted_sums(read_matmul_integer_to_float(node, known), setting)

    def run(
        a: Array,
        b: Array,
        b_scale: Array,
        b_zero: Array | None = None,
        bias: Array | None = None,
    ) -> Array:
        if a.dtype != _F:
            raise Unsupported(f"{node.op} {node.id!r}: {a.dtype} data; it takes float32")
        if of_reals is not None:
            return np.asarray(of_reals(a, b, b_scale, b_zero, bias))
        codes, scale, zero = quantized(a)
        p = read_matmul_integer_to_float(node, (None, b, scale, b_scale, zero, b_zero, bias))
        if fixed is None:
            return product_of_computed(p, setting)(codes)
        return product(p, setting, fixed)(codes)

    read = read_matmul_integer_to_float
    return Kernel(run, parameters=foreseen_dynamic(read, node, setting))


def _output(node: Node, scale: Array | None, zero_point: Array | None) -> dict[str, Any]:
    y_scale, zero = _scale(node, "y", scale), _zero(node, "y", zero_point)
    if y_scale.size != 1 or zero.size != 1:
        raise Unsupported(
            f"{node.op} {node.id!r}: {y_scale.size} scales of y; only one for the tensor is supported"
        )
    value = _F(y_scale.item())
    return {"y_dtype": zero.dtype, "y_scale": value, "y_zero_point": int(zero.item())}


def _scale(node: Node, name: str, scale: Array | None) -> Array:
    if scale is None:
        raise InvalidModel(f"{node.op} {node.id!r} has no {name}_scale; it is required")
    if scale.dtype not in (_F, np.dtype(np.float16)) or scale.ndim > 1 or not scale.size:
        raise InvalidModel(
            f"{node.op} {node.id!r}: {name}_scale is {scale.dtype} {scale.shape}; it must be one or a "
            f"row of floats"
        )
    if problem := scale_problem(scale):
        raise InvalidModel(f"{node.op} {node.id!r}: {name}_scale {problem}")
    wide = scale.astype(_F)
    return wide.reshape(()) if wide.size == 1 else wide


def _zero(node: Node, name: str, zero_point: Array | None) -> Array:
    if zero_point is None:
        raise InvalidModel(f"{node.op} {node.id!r} has no {name}_zero_point; it is required")
    if zero_point.dtype not in RANGES:
        raise Unsupported(
            f"{node.op} {node.id!r}: {name}_zero_point is {zero_point.dtype}; only int8 and uint8 are "
            f"supported"
        )
    return zero_point.reshape(()) if zero_point.size == 1 else zero_point


def _zero_of(node: Node, b: Array | None, zero_point: Array | None) -> Array:
    if zero_point is None:
        return np.zeros((), _matrix(node, b).dtype)
    if b is not None and zero_point.dtype != b.dtype:
        raise InvalidModel(
            f"{node.op} {node.id!r}: b is {b.dtype}, its zero point {zero_point.dtype}; they must agree"
        )
    return _zero(node, "b", zero_point)


def _rows(values: Array) -> Array:
    """Parameters of a: one, or one for each row."""
    return values.reshape(()) if values.size == 1 else values.reshape(-1, 1)


def _dtype(zero_point: Array | None) -> np.dtype[Any] | None:
    return None if zero_point is None else zero_point.dtype


def _is_vector(b: Array | None) -> bool:
    return b is not None and b.ndim == 1


def _matrix(node: Node, b: Array | None) -> Array:
    if b is None:
        raise InvalidModel(f"{node.op} {node.id!r} has no b; it is required")
    if b.dtype not in RANGES:
        raise Unsupported(
            f"{node.op} {node.id!r}: codes of type {b.dtype}; it takes int8 and uint8"
        )
    if not b.ndim:
        raise InvalidModel(f"{node.op} {node.id!r}: b is a scalar; it must be a matrix")
    return b if b.ndim > 1 else b.reshape(-1, 1)


OPERATORS = (
    operator("QLinearMatMul", partial(_prepared, read_qlinear_matmul), inputs=(8, 9)),
    operator("MatMulInteger", partial(_prepared, read_matmul_integer), inputs=(2, 4)),
    operator(
        "MatMulIntegerToFloat",
        partial(_prepared, read_matmul_integer_to_float),
        inputs=(4, 7),
        domains=CONTRIB,
    ),
    operator("DynamicQuantizeMatMul", dynamic_quantize_matmul, inputs=(3, 5), domains=CONTRIB),
    operator(
        "QGemm",
        partial(_prepared, read_qgemm),
        "alpha transA transB",
        inputs=(6, 9),
        domains=CONTRIB,
    ),
)
