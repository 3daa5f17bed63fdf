"""Where QuantizeLinear's rounding is at work, for faults that replace it."""

import numpy as np

from engine.faults.conv_reach import steps_of
from engine.ir import Array
from engine.kernels.dynamic_quantize import DynamicQuantizeParameters
from engine.kernels.matmul_stages import MatMulParameters
from engine.kernels.number_types import FLOAT_CODES, INTEGER_CODES
from engine.kernels.parameters import ConvParameters
from engine.kernels.quantize_codes import RequantizeParameters
from engine.kernels.quantize_parameters import QuantizeParameters

_FAR = 2.0**31
BLOCK = 8  # elements that fill a vector


def quantizes(p: object) -> bool:
    """Whether reals are rounded to integer codes by the rule of QuantizeLinear."""
    if isinstance(p, QuantizeParameters):
        return p.dtype not in FLOAT_CODES
    if isinstance(p, RequantizeParameters):
        return True
    if isinstance(p, ConvParameters):
        return p.ending == "silu"
    return _finds_range(p)


def quantizes_with_odd_zero_point(p: object) -> bool:
    """The same, where some zero point may be odd."""
    if isinstance(p, QuantizeParameters) and not p.computed_zero_point:
        return quantizes(p) and p.zero_point is not None and bool((p.zero_point % 2).any())
    if isinstance(p, ConvParameters | RequantizeParameters):
        return quantizes(p) and p.y_zero_point % 2 != 0
    return quantizes(p)


def quantizes_negative_values(p: object) -> bool:
    """Whether a QuantizeLinear has integer codes below its zero point."""
    if isinstance(p, RequantizeParameters):
        return p.y_zero_point > INTEGER_CODES[p.y_dtype][0]
    if not isinstance(p, QuantizeParameters) or p.dtype in FLOAT_CODES:
        return False
    if p.dtype is None or p.computed_zero_point:
        return True
    zero_point = 0 if p.zero_point is None else p.zero_point
    return bool(np.any(zero_point > INTEGER_CODES[p.dtype][0]))


def quantizes_far_values(p: object) -> bool:
    """The same, where steps may leave int32."""
    if isinstance(p, ConvParameters):
        return quantizes(p) and any(each.steps >= _FAR - 64 for each in steps_of(p))
    if isinstance(p, RequantizeParameters):
        return bool(255 * np.float64(p.x_scale) / np.float64(p.y_scale) >= _FAR - 64)
    return quantizes(p) and not _finds_range(p)


def _finds_range(p: object) -> bool:
    """Whether scale and zero point are found from the data, which are then inside of the codes."""
    if isinstance(p, MatMulParameters):
        return p.op == "DynamicQuantizeMatMul"
    return isinstance(p, DynamicQuantizeParameters)


def in_the_rest(x: Array) -> Array:
    """Whether an element is among the last ones, that fill no vector."""
    far = np.arange(x.size) >= x.size // BLOCK * BLOCK
    return far.reshape(x.shape)
