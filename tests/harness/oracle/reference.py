"""What engines compute, written small: integer accumulators and float32 formulas, and exact rationals."""

from fractions import Fraction

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from corpus.case import Array
from tests.harness.oracle.models import Spec

F = np.float32


def terms(spec: Spec) -> tuple[Array, Array]:
    """Integer factors of every output: x and w parts ``(N, M, *out, products)``; no padding."""
    groups = spec.attributes.get("group", 1)
    rank = spec.x.ndim - 2
    x = spec.x.astype(np.int64) - spec.x_zero
    w = spec.w.astype(np.int64) - spec.w_zero
    axes = tuple(range(2, 2 + rank))
    windows = sliding_window_view(x, spec.w.shape[2:], axis=axes)
    per_group, outputs = x.shape[1] // groups, spec.M // groups
    parts = []
    for m in range(spec.M):
        g = m // outputs
        part = windows[:, g * per_group : (g + 1) * per_group]
        part = np.moveaxis(part, 1, 1 + rank)
        parts.append(part.reshape(*part.shape[: 1 + rank], -1))
    xs = np.stack(parts, 1)
    ws = w.reshape(spec.M, *(1,) * rank, -1)
    return xs, np.broadcast_to(ws, xs.shape)


def accumulators(spec: Spec) -> Array:
    """``sum (x - zero_x) (w - zero_w)`` without the bias, int64 ``(N, M, *out)``."""
    xs, ws = terms(spec)
    total: Array = (xs * ws).sum(-1)
    return total


def per_channel(values: Array, rank: int) -> Array:
    """A parameter of every output channel, shaped for ``(N, M, *out)``."""
    return np.asarray(values).reshape(-1, *(1,) * rank)


def bias(spec: Spec) -> Array:
    empty = np.zeros(spec.M, np.int64)
    return per_channel(
        empty if spec.bias is None else spec.bias.astype(np.int64), spec.x.ndim - 2
    )


def w_scales(spec: Spec) -> Array:
    return per_channel(spec.w_scale, spec.x.ndim - 2)


def saturate(codes: Array, dtype: str) -> Array:
    info = np.iinfo(dtype)
    return np.clip(codes, info.min, info.max).astype(dtype)


def exact_steps(spec: Spec) -> Array:
    """``(acc + bias) scale_x scale_w / scale_y`` as Fractions."""
    acc = accumulators(spec) + bias(spec)
    scales = np.broadcast_to(w_scales(spec), acc.shape).ravel()
    factor = Fraction(float(spec.x_scale)) / Fraction(float(spec.y_scale))
    values = [
        int(a) * Fraction(float(s)) * factor for a, s in zip(acc.ravel(), scales, strict=True)
    ]
    return np.array(values, object).reshape(acc.shape)


def onnxruntime(spec: Spec) -> Array:
    """One float32 product, half to even, zero point outside."""
    acc = (accumulators(spec) + bias(spec)).astype(F)
    m = (spec.x_scale * w_scales(spec)).astype(F) / spec.y_scale
    return saturate(np.rint(acc * m) + spec.y_zero, spec.y_dtype)


def opencv(spec: Spec) -> Array:
    """The zero point is added before the rounding."""
    acc = (accumulators(spec) + bias(spec)).astype(F)
    m = (spec.x_scale * w_scales(spec)).astype(F) / spec.y_scale
    v = (acc.astype(np.float64) * m.astype(np.float64) + spec.y_zero).astype(F)
    return saturate(np.rint(v), spec.y_dtype)


def fbgemm(spec: Spec) -> Array:
    """A float bias apart, divided by ``scale_x scale_w``."""
    product = (spec.x_scale * w_scales(spec)).astype(F)
    b = (bias(spec) * product.astype(np.float64)).astype(F)
    t = (accumulators(spec).astype(F) + b / product) * (product / spec.y_scale)
    return saturate(np.rint(t) + spec.y_zero, spec.y_dtype)


def qnnpack(spec: Spec) -> Array:
    """A reciprocal of the output's scale."""
    acc = (accumulators(spec) + bias(spec)).astype(F)
    m = (spec.x_scale * w_scales(spec)).astype(F) * (F(1) / spec.y_scale)
    return saturate(np.rint(acc * m) + spec.y_zero, spec.y_dtype)


def onednn(spec: Spec) -> Array:
    """Dequantized sum plus float bias, times a reciprocal, zero point inside."""
    product = (F(1) / (F(1) / spec.x_scale)) * w_scales(spec)
    b = (bias(spec) * product.astype(np.float64)).astype(F)
    t = accumulators(spec).astype(F) * product + b
    return saturate(np.rint(t * (F(1) / spec.y_scale) + F(spec.y_zero)), spec.y_dtype)


FUSED = (onnxruntime, opencv, fbgemm, qnnpack, onednn)
ORDERS = ("natural", "reversed", "sorted", "by magnitude", "positive first")


def unfused(spec: Spec, order: str, *, reciprocal: bool = False) -> Array:
    """Dequantize, multiply and add in float32 one after the other in some order, quantize."""
    xs, ws = terms(spec)
    rank = spec.x.ndim - 2
    scales = np.asarray(w_scales(spec))[..., None]
    products = (xs.astype(F) * spec.x_scale) * (ws.astype(F) * scales)
    b = bias(spec).astype(F) * (spec.x_scale * w_scales(spec)).astype(F)
    b = np.broadcast_to(b[..., None], (*products.shape[:-1], 1)) if rank else b
    products = np.concatenate([products, b.astype(F)], -1)
    total = np.add.accumulate(_ordered(products, order), axis=-1, dtype=F)[..., -1]
    steps = total * (F(1) / spec.y_scale) if reciprocal else total / spec.y_scale
    return saturate(np.rint(steps) + spec.y_zero, spec.y_dtype)


def _ordered(products: Array, order: str) -> Array:
    if order == "natural":
        return products
    if order == "reversed":
        return products[..., ::-1]
    if order == "sorted":
        return np.sort(products, axis=-1)
    keys = -np.abs(products) if order == "by magnitude" else products < 0
    return np.take_along_axis(products, np.argsort(keys, axis=-1, kind="stable"), axis=-1)
