"""The operators that the oracle judges: one function each, from a node and its inputs to a set."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle import (
    binary,
    blocks,
    dynamic,
    elementwise,
    functions,
    integer,
    matmul,
    movement,
    normalization,
    on_codes,
    piecewise,
    pools,
    resize,
    rounding,
    selection,
    softmax,
    transposed,
)
from harness.oracle import conv as convolution
from harness.oracle.graph import Node, read_tensor
from harness.oracle.inputs import Inputs
from harness.oracle.quantize import dequantize_linear, quantize_linear
from harness.oracle.values import CODE_TYPES, Codes, Number, Silent, Value


def _quantize(node: Node, inputs: Inputs) -> Value:
    zero = inputs.array(2) if inputs.has(2) else None
    return quantize_linear(node, inputs.value(0), inputs.array(1), zero)


def _dequantize(node: Node, inputs: Inputs) -> Value:
    zero = inputs.array(2) if inputs.has(2) else None
    return dequantize_linear(node, inputs.codes(0), inputs.array(1), zero)


def _conv(node: Node, inputs: Inputs) -> Value:
    bias = inputs.reals(2) if inputs.has(2) else None
    return convolution.conv(node, inputs.reals(0), inputs.reals(1), bias)


def _qlinear_conv(node: Node, inputs: Inputs) -> Value:
    names = ("x", "x_zero", "w", "w_zero", "y", "y_zero")
    arrays = [inputs.array(index) for index in (1, 2, 4, 5, 6, 7)]
    for name, array in zip(names, arrays, strict=True):
        if array.size != 1 and not (name in ("w", "w_zero") and array.ndim == 1):
            raise Silent(
                f"parameters of shape {array.shape} for {name} are not judged", node.where
            )
    x_scale, x_zero, y_scale, y_zero = (float(arrays[i].item()) for i in (0, 1, 4, 5))
    w_scale, w_zero = (_number(arrays[i]) for i in (2, 3))
    bias = inputs.codes(8) if inputs.has(8) else None
    dtype = arrays[5].dtype
    if dtype not in CODE_TYPES:
        raise Silent(f"output type {dtype} is not judged", node.where)
    scales = convolution.Scales(x_scale, x_zero, w_scale, w_zero, y_scale, y_zero)
    return convolution.qlinear_conv(
        node, inputs.codes(0), inputs.codes(3), scales, bias, dtype
    )


def _number(parameter: Array) -> Number:
    return float(parameter.item()) if parameter.size == 1 else parameter.astype(np.float64)


def _relu(node: Node, inputs: Inputs) -> Value:
    return elementwise.clip(inputs.value(0), 0.0, np.inf)


def _clip(node: Node, inputs: Inputs) -> Value:
    if node.opset < 11:
        least = node.attributes.get("min", -np.inf)
        most = node.attributes.get("max", np.inf)
    else:
        least = float(inputs.array(1).reshape(())) if inputs.has(1) else -np.inf
        most = float(inputs.array(2).reshape(())) if inputs.has(2) else np.inf
    if np.isnan(least) or np.isnan(most):
        raise Silent("a bound is NaN", node.where)
    return elementwise.clip(inputs.value(0), least, most)


def _add(node: Node, inputs: Inputs) -> Value:
    return elementwise.add(inputs.reals(0), inputs.reals(1))


def _multiply(node: Node, inputs: Inputs) -> Value:
    return elementwise.multiply(inputs.reals(0), inputs.reals(1))


def _sigmoid(node: Node, inputs: Inputs) -> Value:
    return elementwise.sigmoid(inputs.reals(0))


def _identity(node: Node, inputs: Inputs) -> Value:
    return inputs.value(0)


def _reshape(node: Node, inputs: Inputs) -> Value:
    x = inputs.value(0)
    target = [int(each) for each in inputs.array(1)]
    keep_zero = bool(node.attributes.get("allowzero", 0))
    shape = elementwise.reshaped(x.centre.shape, target, keep_zero)
    return elementwise.move(x, lambda array: array.reshape(shape))


def _flatten(node: Node, inputs: Inputs) -> Value:
    x = inputs.value(0)
    sizes = x.centre.shape
    axis = node.attributes.get("axis", 1)
    axis = axis + len(sizes) if axis < 0 else axis
    shape = (int(np.prod(sizes[:axis])), int(np.prod(sizes[axis:])))
    return elementwise.move(x, lambda array: array.reshape(shape))


def _transpose(node: Node, inputs: Inputs) -> Value:
    axes = node.attributes.get("perm")
    return elementwise.move(inputs.value(0), lambda array: np.transpose(array, axes))


def _concat(node: Node, inputs: Inputs) -> Value:
    parts = [inputs.value(index) for index in range(len(node.inputs))]
    if len({isinstance(each, Codes) and each.dtype for each in parts}) > 1:
        raise Silent("its inputs have different types", node.where)
    return elementwise.concatenate(parts, node.attributes["axis"])


def constant_array(node: Node) -> Array:
    """The value of a Constant node; numbers and tensors only."""
    attributes = node.attributes
    if (tensor := attributes.get("value")) is not None:
        return read_tensor(tensor)
    for name, dtype in (
        ("value_float", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in attributes:
            return np.asarray(attributes[name], dtype)
    raise Silent("only tensors and numbers are judged", node.where)


OPERATORS: Mapping[str, Callable[[Node, Inputs], Value | tuple[Value, ...]]] = (
    MappingProxyType(
        {
            **binary.OPERATORS,
            **blocks.OPERATORS,
            **dynamic.OPERATORS,
            **functions.OPERATORS,
            **integer.OPERATORS,
            **matmul.OPERATORS,
            **normalization.OPERATORS,
            **on_codes.OPERATORS,
            **movement.OPERATORS,
            **piecewise.OPERATORS,
            **pools.OPERATORS,
            **resize.OPERATORS,
            **rounding.OPERATORS,
            **selection.OPERATORS,
            **softmax.OPERATORS,
            **transposed.OPERATORS,
            "Add": _add,
            "Clip": _clip,
            "Concat": _concat,
            "Conv": _conv,
            "DequantizeLinear": _dequantize,
            "com.microsoft::DequantizeLinear": _dequantize,
            "Flatten": _flatten,
            "Identity": _identity,
            "Mul": _multiply,
            "QLinearConv": _qlinear_conv,
            "QuantizeLinear": _quantize,
            "com.microsoft::QuantizeLinear": _quantize,
            "Relu": _relu,
            "Reshape": _reshape,
            "Sigmoid": _sigmoid,
            "Transpose": _transpose,
        }
    )
)
