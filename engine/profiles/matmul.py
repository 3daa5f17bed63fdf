"""How each engine turns the int32 sums of a matrix product into codes or reals."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np

from engine.arithmetic import fused_multiply_add, round_half_away
from engine.ir import Array
from engine.profiles.requantization import (
    Prepare,
    Requantization,
    Rescaling,
    float_bias,
    onnxruntime,
)

_F = np.float32
ToReals = Callable[[Array, Array, Array, np.float32, Array | None], Array]
"""(sums, a's scale, b's scales, alpha, real bias or None) -> float32."""


def exact_reals(
    acc: Array, a_scale: Array, b_scale: Array, alpha: np.float32, bias: Array | None
) -> Array:
    """``alpha * as * bs * acc + bias``, the real value rounded once.

    Exact:
        Evaluated in float64; where its error reaches across the middle of two float32 numbers,
        rationals decide.
    """
    factors = [np.asarray(each, np.float64) for each in (alpha, a_scale, b_scale)]
    y = np.asarray(acc * (factors[0] * factors[1] * factors[2]))
    slack = np.abs(y)
    if bias is not None:
        factors.append(bias.astype(np.float64))
        y, slack = y + bias, slack + np.abs(bias)
    slack *= _FLOAT64_ERROR
    reals: Array = y.astype(_F)
    doubtful = ((y - slack).astype(_F) != (y + slack).astype(_F)) & np.isfinite(reals)
    if doubtful.any():
        known = [np.broadcast_to(each, y.shape)[doubtful] for each in (acc, *factors)]
        reals[doubtful] = [_rounded_once(each) for each in zip(*known, strict=True)]
    return reals


_FLOAT64_ERROR = 2.0**-50
"""Relative, twice that of three products and a sum."""


def _rounded_once(terms: tuple[np.generic, ...]) -> np.float32:
    """The float32 nearest to the product of the first four numbers plus the fifth, ties to even."""
    exact = [Fraction(each.item()) for each in terms]
    value = prod(exact[:4], start=Fraction(1)) + sum(exact[4:])
    near = _F(float(value))
    around = (np.nextafter(near, _F(-np.inf)), near, np.nextafter(near, _F(np.inf)))
    finite = [each for each in around if np.isfinite(each)]
    return min(
        finite, key=lambda y: (abs(Fraction(y.item()) - value), int(y.view(np.int32)) & 1)
    )


def onnxruntime_reals(
    acc: Array, a_scale: Array, b_scale: Array, alpha: np.float32, bias: Array | None
) -> Array:
    """``fl(fl(acc) * fl(fl(alpha*as)*bs))``, then ``fl(y + bias)``.

    Source:
        onnxruntime contrib_ops/cpu/quantization/quant_gemm.cc; MatMulIntegerToFloat measured.
    """
    y: Array = acc.astype(_F) * (alpha * a_scale * b_scale)
    return y if bias is None else y + bias


def fbgemm_reals(
    acc: Array, a_scale: Array, b_scale: Array, alpha: np.float32, bias: Array | None
) -> Array:
    """``fma(fl(acc), fl(as*bs), b)``.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/qlinear_dynamic.cpp.
    """
    addend = _F(0) if bias is None else bias
    return fused_multiply_add(acc.astype(_F), a_scale * b_scale, np.asarray(addend))


def qnnpack_reals(
    acc: Array, a_scale: Array, b_scale: Array, alpha: np.float32, bias: Array | None
) -> Array:
    """``fl(fl(fl(acc)*fl(bs*as)) + b)``.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/qlinear_dynamic.cpp.
    """
    y: Array = acc.astype(_F) * (b_scale * a_scale)
    return y if bias is None else y + bias


def onednn_reals(
    acc: Array, a_scale: Array, b_scale: Array, alpha: np.float32, bias: Array | None
) -> Array:
    """``fl(fl(fl(acc)*fl(as*bs')) + b)``, ``bs' = fl(1/fl(1/bs))``.

    Source:
        found by experiment on the kernels that torch 2.13 ships.
    """
    y: Array = acc.astype(_F) * (a_scale * _twice_inverted(b_scale))
    return y if bias is None else y + bias


def with_alpha(prepare: Prepare) -> Prepare:
    """A rule of convolutions for products: alpha joins the first scale, ``fl(alpha*as)``.

    Source:
        onnxruntime contrib_ops/cpu/quantization/quant_gemm.cc; no other engine has an alpha.
    """

    def prepared(r: Requantization) -> Rescaling:
        return prepare(replace(r, x_scale=_F(r.alpha) * r.x_scale, alpha=1.0))

    return prepared


def onednn_linear(r: Requantization) -> Rescaling:
    """``t = fl(fl(acc)*fl(as'*bs')) + b``, ``v = fl(fl(t*fl(1/ys)) + yz)``: zero point inside.

    ``s' = fl(1/fl(1/s))``. The outputs are unsigned: a signed zero point is shifted by 128.

    Source:
        found by experiment on the kernels that torch 2.13 ships.
    """
    scale = _twice_inverted(np.asarray(r.x_scale)) * _twice_inverted(r.w_scale)
    inverse, shift = _F(1) / r.y_scale, 128 if r.y_signed else 0
    bias, zero_point = float_bias(r), _F(r.y_zero_point + shift)

    def steps(acc: Array) -> Array:
        t: Array = acc.astype(_F) * scale
        if bias is not None:
            t += bias
        t *= inverse
        t += zero_point
        return t

    return Rescaling(None, steps, -shift)


def _twice_inverted(scale: Array) -> Array:
    inverted: Array = _F(1) / (_F(1) / scale)
    return inverted


def opencv_matmul(r: Requantization) -> Rescaling:
    """``m = fl(fl(as*bs)/ys)``, ``v = fl(fl(acc)*m)``, zero point outside, unlike its Conv.

    In whole blocks of 8 columns ties go to even, in the columns left over away from zero.

    Source:
        opencv modules/dnn/src/int8layers/matmul_int8_layer.cpp; the columns left over measured.
    """
    rescaling = onnxruntime(r)

    def steps(acc: Array) -> Array:
        v = rescaling.steps(acc)
        rest = v[..., v.shape[-1] // 8 * 8 :]
        rest[...] = round_half_away(rest)
        return v

    return replace(rescaling, steps=steps)
