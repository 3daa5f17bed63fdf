"""DynamicQuantizeLinear: the scale and zero point that just hold the range of the data."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.errors import EngineError, Unsupported
from engine.ir import Array, Node
from engine.kernels.number_types import saturate_codes
from engine.kernels.operator import Kernel, Setting, operator
from engine.kernels.quantize_linear import rule_of_profile
from engine.profiles.quantization import RangeRule, Rule

_F = np.float32
Quantized = tuple[Array, Array, Array]
"""Codes, scale, zero point."""


def dynamic_quantize_linear(x: Array, dynamic_range: RangeRule, rule: Rule) -> Quantized:
    """``s = (max(0, max x) - min(0, min x)) / 255``, ``z = sat(rne(-min(0, min x) / s))``, eq. (2).

    Shapes:
        ``x`` (*S), float32 -> codes (*S) uint8, scale () float32, zero point () uint8.

    Raises:
        EngineError: no finite scale above 0 holds the range.

    Source:
        ONNX DynamicQuantizeLinear-11.
    """
    low, high = x.min(initial=_F(0)), x.max(initial=_F(0))
    scale, zero_point = dynamic_range(low, high)
    if not 0 < scale < np.inf:
        raise EngineError(
            f"data from {low} to {high} have the scale {scale}; it must be finite and not 0"
        )
    step, zero = np.asarray(scale), np.asarray(zero_point)
    codes = saturate_codes(np.asarray(rule(x, step, zero.astype(_F))), zero.dtype)
    return codes, step, zero


@dataclass(frozen=True, slots=True)
class DynamicQuantizeParameters:
    """One DynamicQuantizeLinear: all that is fixed is its place."""

    node: str


def dynamic_quantize_operator(node: Node, setting: Setting) -> Kernel:
    """DynamicQuantizeLinear as a function of ``x``."""
    quantize, outputs = dynamic_quantizer(node, setting), len(node.outputs)

    def run(x: Array) -> tuple[Array, ...]:
        if x.dtype != _F:
            raise Unsupported(f"{node.op} {node.id!r}: {x.dtype} data; it takes float32")
        try:
            return quantize(x)[:outputs]
        except EngineError as error:
            raise EngineError(f"{node.op} {node.id!r}: {error}") from error

    return Kernel(run, parameters=DynamicQuantizeParameters(node.id))


def dynamic_quantizer(node: Node, setting: Setting) -> Callable[[Array], Quantized]:
    """What quantizes reals by their own range, for a node that does."""
    span = setting.stage("dynamic_quantize.range", setting.profile.dynamic_range)
    choose = setting.stage("quantize.rule", rule_of_profile)
    rule = choose(setting.profile.quantize, DynamicQuantizeParameters(node.id))
    return lambda x: dynamic_quantize_linear(x, span, rule)


OPERATORS = (
    operator(
        "DynamicQuantizeLinear", dynamic_quantize_operator, inputs=1, outputs=(1, 3), since=11
    ),
)
