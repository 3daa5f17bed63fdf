"""Every operator this engine knows: the tables of the kernel families together."""

from collections.abc import Mapping
from types import MappingProxyType

from engine.kernels import (
    activations,
    average_codes,
    average_pool,
    binary,
    cast,
    comparison,
    control,
    dynamic_quantize,
    elementwise,
    float_convolution,
    float_matmul,
    gather,
    matmul_nbits,
    movement,
    normalization,
    pad,
    pooling_max,
    qlinear_binary,
    qlinear_conv,
    qlinear_matmul,
    qlinear_select,
    qlinear_softmax,
    quantize_codes,
    quantize_linear,
    reduction,
    resize,
    selection,
    shape,
    slicing,
    softmax,
    table,
)
from engine.kernels.operator import Operator

_FAMILIES = (
    activations.OPERATORS,
    average_codes.OPERATORS,
    average_pool.OPERATORS,
    binary.OPERATORS,
    comparison.OPERATORS,
    cast.OPERATORS,
    control.OPERATORS,
    dynamic_quantize.OPERATORS,
    elementwise.OPERATORS,
    float_convolution.OPERATORS,
    float_matmul.OPERATORS,
    gather.OPERATORS,
    matmul_nbits.OPERATORS,
    movement.OPERATORS,
    normalization.OPERATORS,
    pad.OPERATORS,
    pooling_max.OPERATORS,
    qlinear_binary.OPERATORS,
    qlinear_conv.OPERATORS,
    qlinear_select.OPERATORS,
    qlinear_softmax.OPERATORS,
    qlinear_matmul.OPERATORS,
    quantize_codes.OPERATORS,
    quantize_linear.OPERATORS,
    reduction.OPERATORS,
    resize.OPERATORS,
    selection.OPERATORS,
    shape.OPERATORS,
    slicing.OPERATORS,
    softmax.OPERATORS,
    table.OPERATORS,
)

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {each.name: each for family in _FAMILIES for each in family}
)
