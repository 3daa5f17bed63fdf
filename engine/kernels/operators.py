"""The operators this engine knows, with the attributes each may have."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from engine.ir import Array, Graph, Node
from engine.kernels.elementwise import add, clip, identity, multiply, relu, sigmoid
from engine.kernels.float_convolution import convolution, max_pool
from engine.kernels.movement import concat, flatten, reshape, transpose
from engine.kernels.quantize_linear import dequantize_operator, quantize_operator
from engine.profiles import Profile

Build = Callable[[Node, Graph, Profile], Callable[..., Array]]
"""Reads a node's attributes once; the result takes its inputs, None where one is absent."""

_CONV = "auto_pad dilations group kernel_shape pads strides"

_NAMES = {
    "Add": "",
    "Clip": "min max",
    "Concat": "axis",
    "Constant": "value value_float value_floats value_int value_ints",
    "Conv": _CONV,
    "DequantizeLinear": "axis block_size output_dtype",
    "Flatten": "axis",
    "Identity": "",
    "MaxPool": "auto_pad ceil_mode dilations kernel_shape pads storage_order strides",
    "Mul": "",
    "QLinearConv": _CONV,
    "QuantizeLinear": "axis block_size output_dtype precision saturate",
    "Relu": "",
    "Reshape": "allowzero",
    "Sigmoid": "",
    "Transpose": "perm",
}

ATTRIBUTES: Mapping[str, frozenset[str]] = MappingProxyType(
    {op: frozenset(names.split()) for op, names in _NAMES.items()}
)
"""Every operator of the import and its attributes, as ONNX spells them."""

FLOAT_OPERATORS: Mapping[str, Build] = MappingProxyType(
    {
        "Add": add,
        "Clip": clip,
        "Concat": concat,
        "Conv": convolution,
        "DequantizeLinear": dequantize_operator,
        "Flatten": flatten,
        "Identity": identity,
        "MaxPool": max_pool,
        "Mul": multiply,
        "QuantizeLinear": quantize_operator,
        "Relu": relu,
        "Reshape": reshape,
        "Sigmoid": sigmoid,
        "Transpose": transpose,
    }
)
