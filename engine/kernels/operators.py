"""Every operator this engine knows: the tables of the kernel families together."""

from collections.abc import Mapping
from types import MappingProxyType

from engine.kernels import (
    elementwise,
    float_convolution,
    movement,
    qlinear_conv,
    quantize_linear,
)
from engine.kernels.operator import Operator

_FAMILIES = (
    elementwise.OPERATORS,
    float_convolution.OPERATORS,
    movement.OPERATORS,
    qlinear_conv.OPERATORS,
    quantize_linear.OPERATORS,
)

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {each.name: each for family in _FAMILIES for each in family}
)
