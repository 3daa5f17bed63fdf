"""Every operator this engine knows: the tables of the kernel families together."""

from collections.abc import Mapping
from types import MappingProxyType

from engine.kernels import (
    average_codes,
    average_pool,
    cast,
    control,
    dynamic_quantize,
    elementwise,
    float_convolution,
    movement,
    pooling_max,
    qlinear_conv,
    quantize_codes,
    quantize_linear,
    reduction,
    selection,
)
from engine.kernels.operator import Operator

_FAMILIES = (
    average_codes.OPERATORS,
    average_pool.OPERATORS,
    cast.OPERATORS,
    control.OPERATORS,
    dynamic_quantize.OPERATORS,
    elementwise.OPERATORS,
    float_convolution.OPERATORS,
    movement.OPERATORS,
    pooling_max.OPERATORS,
    qlinear_conv.OPERATORS,
    quantize_codes.OPERATORS,
    quantize_linear.OPERATORS,
    reduction.OPERATORS,
    selection.OPERATORS,
)

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {each.name: each for family in _FAMILIES for each in family}
)
