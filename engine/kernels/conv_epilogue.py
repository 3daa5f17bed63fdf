"""Convolutions with more behind them than a clamp: a residual (R22), or x * sigmoid(x) (R23).

Only fusion makes them. The sums are those of the plain kernel, exact; what follows rounds once.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.errors import EngineError
from engine.ir import Array, Node
from engine.kernels.conv_integer import sums_of
from engine.kernels.convolution import written
from engine.kernels.float_convolution import CONV_ATTRIBUTES
from engine.kernels.operator import INTERNAL, Kernel, Run, Setting, operator
from engine.kernels.parameters import ConvParameters
from engine.kernels.qlinear_conv import read_parameters
from engine.kernels.quantize_linear import quantize_linear, rule_of_profile
from engine.kernels.stages import to_nearest_even
from engine.profiles.residual import Residual, exact_residual

_F = np.float32


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualParameters(ConvParameters):
    """A convolution and what is added to its real result: ``r_scale * (r - r_zero_point)``."""

    r_scale: np.float32
    r_zero_point: int
    r_dtype: np.dtype[Any]

    @property
    def conv(self) -> ConvParameters:
        """The convolution in front of the sum."""
        return self


def centre_residual(r: Array, p: ResidualParameters) -> Array:
    """``r - rz``, int32."""
    return r.astype(np.int32) - np.int32(p.r_zero_point)


def biased_sums(p: ConvParameters, setting: Setting) -> Run:
    """``acc`` with its bias, int32, as a function of the input codes."""
    sums = sums_of(p, setting)
    bias = setting.stages.bias(p)
    if bias is None:
        return sums
    column = bias.reshape(_lanes(p))
    return lambda x: sums(x) + column


def _lanes(p: ConvParameters) -> tuple[int, ...]:
    return (-1, *(1,) * len(p.kernel))


def _scales(p: ConvParameters, setting: Setting) -> Array:
    scales = setting.stages.scales(p)
    return scales.reshape(()) if scales.size == 1 else scales.reshape(_lanes(p))


def qlinear_conv_add(node: Node, setting: Setting) -> Kernel:
    """``y = sat(rne((xs*ws*acc + rs (r - rz)) / ys) + yz)``; the last inputs are r, rs, rz.

    Inputs are x, then those of QLinearConv (the bias may be absent, ``""``), then the residual's.
    """
    p = read_residual(node, setting)
    rule = setting.profile.residual or exact_residual
    acc_of = biased_sums(p, setting)
    scales = Residual(p.x_scale, _scales(p, setting), p.r_scale, p.y_scale)
    centre = setting.stage("residual.centre", centre_residual)
    add = setting.stage("residual.add", rule)
    rounding = setting.stage("residual.round", to_nearest_even)
    activate = setting.stages.activate
    low, high = (each - p.y_zero_point for each in RANGES[p.y_dtype])

    def run(x: Array, *given: Array) -> Array:
        acc, r = acc_of(x), given[8]
        if r.dtype != p.r_dtype or r.shape != acc.shape:
            raise EngineError(
                f"{node.op} {node.id!r}: residual {r.dtype} {r.shape} for a result {acc.shape}"
            )
        steps = rounding(add(scales, acc, centre(r, p)), p.y_zero_point)
        codes = (np.clip(steps, low, high) + p.y_zero_point).astype(p.y_dtype)
        return activate(codes, p) if p.activation else codes

    return Kernel(written(run, p, setting), "QConvAdd", p)


def read_residual(node: Node, setting: Setting) -> ResidualParameters:
    """The record of a convolution with a residual; all parameters are constants."""
    arrays = [setting.constant(name) for name in node.inputs[1:9]]
    plain = Node(node.id, "QLinearConv", node.inputs[:9], node.outputs, node.attributes)
    scale, zero = (setting.constant(name) for name in node.inputs[10:12])
    assert scale is not None
    assert zero is not None
    conv = read_parameters(plain, arrays)
    return ResidualParameters(
        **conv.facts() | {"ending": "residual"},
        r_scale=_F(scale.item()),
        r_zero_point=int(zero.item()),
        r_dtype=zero.dtype,
    )


def swish(x: Array) -> Array:
    """``fl(x * fl(1 / (1 + exp(-x))))``, as Sigmoid and Mul of the graph make it."""
    gate = (1.0 / (1.0 + np.exp(-x.astype(np.float64)))).astype(_F)
    y: Array = x * gate
    return y


def qlinear_conv_silu(node: Node, setting: Setting) -> Kernel:
    """``y = Q(v * sigmoid(v))``, ``v = fl(xs*ws*acc)``; inputs as QLinearConv's."""
    arrays = [setting.constant(name) for name in node.inputs[1:]]
    plain = Node(node.id, "QLinearConv", node.inputs, node.outputs, node.attributes)
    p = replace(read_parameters(plain, arrays), ending="silu")
    acc_of = biased_sums(p, setting)
    scale = np.float64(p.x_scale) * _scales(p, setting).astype(np.float64)
    activate = setting.stage("silu.activate", swish)
    rule = setting.stage("quantize.rule", rule_of_profile)(setting.profile.quantize, p)
    zero = np.array(p.y_zero_point, p.y_dtype)

    def run(x: Array, *_: Array) -> Array:
        real = (acc_of(x) * scale).astype(_F)
        return quantize_linear(activate(real), p.y_scale, zero, rule)

    return Kernel(written(run, p, setting), "QConvSiLU", p)


_ATTRIBUTES = f"{CONV_ATTRIBUTES} activation high low bias_scales"

OPERATORS = (
    operator("QLinearConvAdd", qlinear_conv_add, _ATTRIBUTES, inputs=12, domains=INTERNAL),
    operator(
        "QLinearConvSiLU", qlinear_conv_silu, _ATTRIBUTES, inputs=(8, 9), domains=INTERNAL
    ),
)
