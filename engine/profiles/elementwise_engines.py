"""How each engine computes sums, products, quotients and extremes of codes; what makes up a table.

Everywhere ``a`` and ``b`` are codes with scales as, bs and zero points az, bz; ``y`` is the output, r the
ratio of an input's scale to that of the output. ``fl`` is float32 rounding; products and sums without
``fl`` inside are one operation each.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from engine.arithmetic import fused_multiply_add, round_half_away
from engine.ir import Array
from engine.profiles.elementwise import Combination, Dequantize, Elementwise, TableRule
from engine.profiles.elementwise_exact import (
    Combine,
    Operands,
    Prepare,
    Steps,
    differences,
    real_inputs,
)
from engine.profiles.quantization import (
    Rule,
    divide,
    multiply_by_reciprocal,
    torch_quantize,
)
from engine.profiles.requantization import convert_then_saturate
from engine.profiles.tables import (
    float32_sigmoid,
    mlas_sigmoid,
    onnxruntime_softmax,
    opencv_hard_swish,
    torch_hard_swish,
)

_F = np.float32


def dequantize_exactly(q: Array, scale: np.float32, zero_point: int) -> Array:
    """``fl((q - z) * s)``: the difference is an exact integer."""
    x: Array = (q.astype(np.int32) - zero_point).astype(_F) * scale
    return x


def in_float32(function: Callable[[Sequence[Array]], Array], rule: Rule) -> Combination:
    """What the unfused graph computes: DequantizeLinear, a float32 operation, QuantizeLinear."""

    def prepare(o: Operands) -> Combine:
        def steps(codes: Sequence[Array], inner: int) -> Steps:
            reals = function(real_inputs(o, codes))
            return rule(reals, o.y_scale, np.asarray(o.y_zero_point, _F)), 0

        return steps

    return Combination(prepare)


def _sum_in_order(reals: Sequence[Array]) -> Array:
    total = reals[0]
    for each in reals[1:]:
        total = total + each
    return total


def unfused(rule: Rule) -> Elementwise:
    """An engine that runs in float32 between its Q and D whatever it has no operation for."""
    return Elementwise(
        subtract=in_float32(lambda x: x[0] - x[1], rule),
        total=in_float32(_sum_in_order, rule),
        divide=in_float32(lambda x: x[0] / x[1], rule),
        largest=in_float32(lambda x: np.maximum.reduce(x), rule),
        smallest=in_float32(lambda x: np.minimum.reduce(x), rule),
    )


def onnxruntime_add(o: Operands) -> Combine:
    """``fma(a, ra, fma(b, rb, f))``, ``f = fl(yz - fma(ra, az, fl(rb*bz)))``, ``ra = fl(as/ys)``.

    Where one operand is constant in the innermost span, it goes first: with t the other,
    ``f = fl(yz - fma(rt, tz, fl(ro*oz)))``, ``v = fma(t, rt, fma(o, ro, f))``. The zero point is
    inside the rounding.

    Source:
        onnxruntime core/mlas/lib/intrinsics/avx2/qladd_avx2.cpp, qladd.cpp.
    """
    ratios = [np.asarray(each.scale / o.y_scale) for each in o.inputs]
    zeros = [np.asarray(each.zero_point, _F) for each in o.inputs]

    def steps(codes: Sequence[Array], inner: int) -> Steps:
        t, other = (1, 0) if inner == 0 else (0, 1)
        product = np.asarray(ratios[other] * zeros[other])
        offset = np.asarray(
            _F(o.y_zero_point) - fused_multiply_add(ratios[t], zeros[t], product)
        )
        first = fused_multiply_add(codes[other].astype(_F), ratios[other], offset)
        return fused_multiply_add(codes[t].astype(_F), ratios[t], first), 0

    return steps


def onnxruntime_multiply(o: Operands) -> Combine:
    """``fl(fl(p*r) + yz)``, ``r = fl(fl(as*bs)/ys)``, ``p = (a - az)(b - bz)``: zero point inside.

    Source:
        onnxruntime core/mlas/lib/qlmul.cpp.
    """
    a, b = o.inputs
    ratio, zero_point = a.scale * b.scale / o.y_scale, _F(o.y_zero_point)

    def steps(codes: Sequence[Array], inner: int) -> Steps:
        left, right = differences(o, codes)
        return (left * right).astype(_F) * ratio + zero_point, 0

    return steps


def opencv_add(o: Operands) -> Combine:
    """``fl(fl(fl(ra*a) + fl(rb*b)) + f)``, ``f = fl(fl(yz - fl(ra*az)) - fl(rb*bz))``.

    Source:
        opencv modules/dnn/src/int8layers/eltwise2_int8_layer.cpp.
    """
    ra, rb = (each.scale / o.y_scale for each in o.inputs)
    az, bz = (_F(each.zero_point) for each in o.inputs)
    offset = _F(o.y_zero_point) - ra * az - rb * bz

    def steps(codes: Sequence[Array], inner: int) -> Steps:
        left, right = (each.astype(_F) for each in codes)
        return left * ra + right * rb + offset, 0

    return steps


def opencv_multiply(o: Operands) -> Combine:
    """``fl(fl(fl(m*(a - az))*(b - bz)) + yz)``, ``m = fl(fl(as*bs)/ys)``: zero point inside.

    Source:
        opencv modules/dnn/src/int8layers/eltwise2_int8_layer.cpp.
    """
    a, b = o.inputs
    ratio, zero_point = a.scale * b.scale / o.y_scale, _F(o.y_zero_point)

    def steps(codes: Sequence[Array], inner: int) -> Steps:
        left, right = (each.astype(_F) for each in differences(o, codes))
        return left * ratio * right + zero_point, 0

    return steps


def dequantize_by_fma(q: Array, scale: np.float32, zero_point: int) -> Array:
    """``fma(s, q, fl(s*(-z)))``, as vectorised ATen kernels do.

    Source:
        pytorch aten/src/ATen/cpu/vec/vec256/vec256_qint.h; positions found by experiment.
    """
    offset = np.asarray(scale * _F(-zero_point))
    return fused_multiply_add(np.asarray(scale), q.astype(_F), offset)


def _torch_sum(dequantize: Dequantize, inside: bool) -> Prepare:
    """``fl(a + b)`` times ``fl(1/ys)``; the zero point is added before or after the rounding."""

    def prepare(o: Operands) -> Combine:
        inverse, zero_point = _F(1) / o.y_scale, o.y_zero_point

        def steps(codes: Sequence[Array], inner: int) -> Steps:
            left, right = (
                dequantize(each, operand.scale, operand.zero_point)
                for each, operand in zip(codes, o.inputs, strict=True)
            )
            v = (left + right) * inverse
            return (v + _F(zero_point), 0) if inside else (v, zero_point)

        return steps

    return prepare


def qnnpack_add(o: Operands) -> Combine:
    """Integers: ``(a - az) ma + (b - bz) mb`` shifted right by t, half away from zero, plus yz.

    ``t = 21 - exponent of max(ra, rb)``, ``m = rne(r 2**t)``, ``r = fl(s/ys)``: multipliers of 22 bits.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/qnnpack (q8vadd, requantization parameters).
    """
    ratios = [float(each.scale / o.y_scale) for each in o.inputs]
    shift = 22 - math.frexp(max(ratios))[1]
    multipliers = [round(math.ldexp(each, shift)) for each in ratios]

    def steps(codes: Sequence[Array], inner: int) -> Steps:
        left, right = (each.astype(np.int64) for each in differences(o, codes))
        total = left * multipliers[0] + right * multipliers[1]
        return round_half_away(total * 2.0**-shift), o.y_zero_point

    return steps


def _by_type(signed: Prepare, unsigned: Prepare) -> Prepare:
    """QNNPACK itself where codes are uint8, which are all it has; ATen's kernel for int8."""
    return lambda o: (signed if o.signed else unsigned)(o)


def torch_multiply(o: Operands) -> Combine:
    """``fl(p*m)``, ``m = fl(fl(as*bs)*fl(1/ys))``, every element alike, zero point outside.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp.
    """
    a, b = o.inputs
    ratio = a.scale * b.scale * (_F(1) / o.y_scale)

    def steps(codes: Sequence[Array], inner: int) -> Steps:
        left, right = differences(o, codes)
        return (left * right).astype(_F) * ratio, o.y_zero_point

    return steps


def torch_join(
    steps: Array, x_scale: np.float32, y_scale: np.float32, y_zero_point: int, rule: Rule
) -> Array:
    """``rne(fma(fl(steps*xs), fl(1/ys), yz))``: quantize_per_tensor of the joined reals.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/TensorShape.cpp, channels first.
    """
    return torch_quantize(steps.astype(_F) * x_scale, y_scale, np.asarray(y_zero_point, _F))


def _times_reciprocal(x: Array, scale: Array | np.float32, zero_point: Array) -> Array:
    """``rne(fl(x*fl(1/s))) + z``: a reciprocal, the zero point outside."""
    rounded: Array = np.rint(x * (_F(1) / scale)) + zero_point
    return rounded


_TORCH_ADD = Combination(
    _torch_sum(dequantize_by_fma, inside=False),
    _torch_sum(dequantize_exactly, inside=True),
    64,
    convert_then_saturate,
)
"""Whole blocks of 64 elements by vectors, the rest one by one with the zero point inside."""

ONNXRUNTIME = replace(
    unfused(divide),
    add=Combination(onnxruntime_add, saturate=convert_then_saturate),
    multiply=Combination(onnxruntime_multiply, saturate=convert_then_saturate),
    functions=MappingProxyType({"Sigmoid": mlas_sigmoid}),
    softmax=onnxruntime_softmax,
)
TORCH = replace(
    unfused(divide),
    join=torch_join,
    add=_TORCH_ADD,
    multiply=Combination(torch_multiply, saturate=convert_then_saturate),
    functions=MappingProxyType({"Sigmoid": float32_sigmoid, "HardSwish": torch_hard_swish}),
    table=TableRule(dequantize_by_fma, _times_reciprocal),
    tail=TableRule(dequantize_exactly, multiply_by_reciprocal),
    block=64,
)
QNNPACK = replace(
    TORCH,
    add=replace(
        _TORCH_ADD,
        main=_by_type(_TORCH_ADD.main, qnnpack_add),
        tail=_by_type(_torch_sum(dequantize_exactly, inside=True), qnnpack_add),
    ),
    tables=MappingProxyType(
        {("HardSwish", "uint8"): TableRule(quantize=multiply_by_reciprocal)}
    ),
)
"""QNNPACK itself works on uint8 only; int8 goes the way of the other torch engines."""
OPENCV = replace(
    unfused(multiply_by_reciprocal),
    add=Combination(opencv_add),
    multiply=Combination(opencv_multiply),
    functions=MappingProxyType({"Sigmoid": float32_sigmoid, "HardSwish": opencv_hard_swish}),
    tables=MappingProxyType(
        {
            (op, dtype): TableRule(quantize=divide)
            for op in ("Relu", "Sigmoid")
            for dtype in ("int8", "uint8")
        }
    ),
)
"""OpenCV has tables of Relu and Sigmoid, which divide; it runs other functions in float32."""
