"""Faults of the bias of a convolution: added too late, to the wrong channel, or in wrong steps."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.arithmetic import RANGES
from engine.faults.conv_reach import reach
from engine.faults.fault import Fault
from engine.faults.layout import fills_blocks
from engine.fusion.match import View
from engine.ir import Array
from engine.kernels.conv_transpose import RealTransposeParameters
from engine.kernels.parameters import ConvParameters
from engine.profiles import Prepare, Requantization, Rescaling

BLOCK = 8


def after_rounding(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """``rne(acc * M) + rne(b * M)`` for ``rne((acc + b) * M)``, ``M = xs*ws/ys``."""
    if r.bias is None:
        return prepare(r)
    rescaling = prepare(replace(r, bias=None))
    scale = np.float64(r.x_scale) * r.w_scale.astype(np.float64) / np.float64(r.y_scale)
    bias = np.rint(r.bias * scale)
    return replace(rescaling, steps=lambda acc: np.rint(rescaling.steps(acc)) + bias)


def of_whole_blocks(p: ConvParameters) -> Array | None:
    """0 for the channels behind the last whole block of 8."""
    if p.bias is None:
        return None
    inside = np.arange(p.out_channels) < p.out_channels // BLOCK * BLOCK
    return p.bias * inside.astype(np.int32)


def within_group(p: ConvParameters) -> Array | None:
    """``b[k mod M/groups]`` for ``b[k]``."""
    if p.bias is None:
        return None
    local: Array = p.bias[np.arange(p.out_channels) % p.out_per_group]
    return local


def in_steps_of_first(p: ConvParameters) -> Array | None:
    """``b[k]`` in steps of ``xs*ws[0]`` for ``xs*ws[k]``, rounded to the latter."""
    if p.bias is None or p.w_scales.size == 1:
        return p.bias
    ratio = np.float64(p.w_scales[0]) / p.w_scales.astype(np.float64)
    return np.clip(np.rint(p.bias * ratio), -(2.0**31), 2.0**31 - 1).astype(np.int32)


def through_float32(p: ConvParameters) -> Array | None:
    """``int32(float32(b))``, INT32_MIN from 2**31 up, as x86 converts; sums with it wrap.

    Groups that do not fill blocks of 8 have a kernel of their own, which is right.
    """
    if p.bias is None or not fills_blocks(p):
        return p.bias
    return as_x86_converts(p.bias.astype(np.float32).astype(np.float64)).astype(np.int32)


def without_its_zero_point(view: View, name: str) -> Array | None:
    """``sb * qb`` for ``sb * (qb - zb)``, for a bias of 8-bit codes; other biases are left alone."""
    node = view.producer(name, "DequantizeLinear")
    arrays = [view.constant(node.input(i)) for i in range(3)] if node else [None]
    if any(each is None for each in arrays):
        return None
    codes, scale, zero_point = (np.asarray(each) for each in arrays)
    if codes.dtype not in RANGES or not zero_point.any() or scale.dtype != np.float32:
        return None
    reals: Array = codes.astype(np.float32) * scale
    return reals


def of_first_channel(b: Array, p: RealTransposeParameters) -> Array:
    """``b[0]`` for ``b[k]``, where the weights have several scales."""
    return np.full_like(b, b[0]) if _has_several_scales(p) else b


def within_group_of_reals(b: Array, p: RealTransposeParameters) -> Array:
    """``b[k mod M/groups]`` for ``b[k]``."""
    local: Array = b[np.arange(b.size) % max(b.size // p.groups, 1)]
    return local


def _has_several_scales(p: RealTransposeParameters) -> bool:
    return p.weights.scale is not None and np.unique(p.weights.scale).size > 1


def as_x86_converts(codes: Array) -> Array:
    """INT32_MIN for whatever int32 does not hold."""
    return np.where(np.abs(codes) < 2.0**31, codes, -(2.0**31))


def left_real(codes: Array) -> Array:
    """Whole steps that stay float64, so that sums with them do not wrap."""
    return codes.astype(np.float64)


def _changes(
    bias: Callable[[ConvParameters], Array | None],
) -> Callable[[ConvParameters], bool]:
    return lambda p: not np.array_equal(bias(p), p.bias)  # type: ignore[arg-type]


def _is_added_late(p: ConvParameters) -> bool:
    """Whether products and bias of a channel are both fractions of a step, or move ties."""
    return any(each.fractions and each.products and each.bias for each in reach(p))


_ROUNDED = ("R51.opt-in", "R51.G10/int32", "R08b.opt-in", "R08b.G10/int32")
_OF_16_BITS = ("R51.G7/16 bits", "R08b.G7/16 bits")

FAULTS = (
    Fault(
        "F64",
        "the bias of the last channels, fewer than 8, is dropped",
        "a tail of channels without its bias",
        _changes(of_whole_blocks),
        {"bias": of_whole_blocks},
    ),
    Fault(
        "F65",
        "the bias index counts within the group",
        "apache/tvm#10046, the bias as the scale",
        _changes(within_group),
        {"bias": within_group},
    ),
    Fault(
        "F65.transpose",
        "the bias index of a ConvTranspose of reals counts within the group",
        "onnx/onnx reference/ops/op_conv_transpose.py: each group is given the whole bias",
        lambda p: p.groups > 1 and p.has_bias,
        {"real_transpose.bias": within_group_of_reals},
        record=RealTransposeParameters,
    ),
    Fault(
        "F67",
        "the bias of every channel is read with the scale of channel 0",
        "per-channel biases on a per-tensor path",
        _changes(in_steps_of_first),
        {"bias": in_steps_of_first},
    ),
    Fault(
        "F168",
        "an int32 bias goes through float32: it loses bits from 2**24 on, and from 2**31 - 64 on is INT32_MIN",
        "opencv/opencv 5.x Conv2Int8, measured on 400 convolutions",
        _changes(through_float32),
        {"bias": through_float32},
    ),
    Fault(
        "F63",
        "a float bias is rounded to int32 steps of x_scale * w_scale, clipped where there are too many",
        "microsoft/onnxruntime#21000, PR 21645, PR 22020",
        guards_off=_ROUNDED,
    ),
    Fault(
        "F63.convert",
        "a float bias is rounded to int32 steps of x_scale * w_scale, INT32_MIN where there are too many",
        "microsoft/onnxruntime#21000, PR 21645, PR 22020; x86 cvtsd2si",
        stages={"rewrite.int32": as_x86_converts},
        guards_off=_ROUNDED,
    ),
    Fault(
        "F63.reals",
        "a float bias goes through int32 steps of x_scale * w_scale, INT32_MIN where there are too many",
        "microsoft/onnxruntime WeightBiasQuantization where nothing is fused behind it, measured",
        stages={"rewrite.int32": as_x86_converts, "rewrite.int32_bias": left_real},
        guards_off=(*_ROUNDED, *_OF_16_BITS),
    ),
    Fault(
        "F66",
        "the zero point of a bias of 8-bit codes is ignored",
        "biases read as codes and scales only",
        stages={"rewrite.real_bias": without_its_zero_point},
        guards_off=("R51.opt-in",),
    ),
    Fault(
        "F61",
        "the bias of a convolution is rounded by itself and added after requantization",
        "pytorch/executorch PR 20655",
        _is_added_late,
        {"rescaling": after_rounding},
    ),
    Fault(
        "F161",
        "a ConvTranspose whose weights have several scales adds the bias of channel 0 to all",
        "openvinotoolkit/openvino: Deconvolution with strides, measured",
        _has_several_scales,
        {"real_transpose.bias": of_first_channel},
        record=RealTransposeParameters,
    ),
)
