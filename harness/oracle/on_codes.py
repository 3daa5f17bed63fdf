"""onnxruntime's operators on codes, which mean QuantizeLinear(f(DequantizeLinear(x), ...)).

So they are judged: their kernels may do what a fused Q/DQ graph may do. Source: the operators' own
documentation (com.microsoft), which defines them that way.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle import elementwise, piecewise, pools, softmax
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.movement import choose
from harness.oracle.quantize import dequantize_linear, quantize_linear
from harness.oracle.values import Codes, Reals, Silent, Value


def _dequantized(node: Node, inputs: Inputs, place: int) -> Reals:
    """The codes at ``place``, with the scale and zero point behind them."""
    return dequantize_linear(
        node, inputs.codes(place), _one(node, inputs, place + 1), inputs.optional(place + 2)
    )


def _one(node: Node, inputs: Inputs, place: int) -> Array:
    scale = inputs.array(place)
    if scale.size != 1:
        raise Silent(f"{scale.size} scales are not judged", node.where)
    return scale


def _quantized(node: Node, inputs: Inputs, y: Value, place: int) -> Codes:
    """QuantizeLinear with the scale at ``place`` and the zero point behind it."""
    zero = inputs.optional(place + 1)
    if zero is None:
        zero = np.zeros((), inputs.codes(0).dtype)
    return quantize_linear(node, y, _one(node, inputs, place), zero)


def _plain(node: Node) -> Node:
    """The node without attributes that mean something else to QuantizeLinear."""
    return replace(node, attributes={})


def _binary(real: Callable[[Reals, Reals], Value]) -> Callable[[Node, Inputs], Codes]:
    def judge(node: Node, inputs: Inputs) -> Codes:
        a, b = _dequantized(node, inputs, 0), _dequantized(node, inputs, 3)
        return _quantized(node, inputs, real(a, b), 6)

    return judge


def _unary(real: Callable[[Node, Reals], Value]) -> Callable[[Node, Inputs], Codes]:
    def judge(node: Node, inputs: Inputs) -> Codes:
        x = _dequantized(_plain(node), inputs, 0)
        return _quantized(_plain(node), inputs, real(node, x), 3)

    return judge


def _pool(pool: Callable[[Node, Reals], Value]) -> Callable[[Node, Reals], Value]:
    def real(node: Node, x: Reals) -> Value:
        if node.attributes.get("channels_last", 0):
            raise Silent("channels_last is not judged", node.where)
        return pool(node, x)

    return real


def _mean(node: Node, x: Reals) -> Value:
    return pools.reduced(node, x, tuple(node.attributes.get("axes", ())), "mean")


def _softmax(node: Node, x: Reals) -> Reals:
    opset = int(node.attributes.get("opset", 13))
    return softmax.softmax_along(x, int(node.attributes.get("axis", -1)), opset)


def concat(node: Node, inputs: Inputs) -> Codes:
    """Every input dequantized with its own parameters, joined, quantized with the first two inputs."""
    plain = _plain(node)
    count = (len(node.inputs) - 2) // 3
    parts = [_dequantized(plain, inputs, 2 + 3 * i) for i in range(count)]
    joined = elementwise.concatenate(parts, int(node.attributes["axis"]))
    return quantize_linear(plain, joined, _one(node, inputs, 0), inputs.array(1))


def where(node: Node, inputs: Inputs) -> Codes:
    """Where of two dequantized branches."""
    a, b = _dequantized(node, inputs, 1), _dequantized(node, inputs, 4)
    return _quantized(node, inputs, choose(inputs.array(0), a, b, node), 7)


_DOMAIN = "com.microsoft::"
OPERATORS: Mapping[str, Callable[[Node, Inputs], Value]] = MappingProxyType(
    {
        f"{_DOMAIN}QLinearAdd": _binary(elementwise.add),
        f"{_DOMAIN}QLinearMul": _binary(elementwise.multiply),
        f"{_DOMAIN}QLinearSigmoid": _unary(lambda node, x: elementwise.sigmoid(x)),
        f"{_DOMAIN}QLinearLeakyRelu": _unary(piecewise.leaky_relu),
        f"{_DOMAIN}QLinearSoftmax": _unary(_softmax),
        f"{_DOMAIN}QLinearAveragePool": _unary(_pool(pools.average_pool)),
        f"{_DOMAIN}QLinearGlobalAveragePool": _unary(_pool(pools.global_average)),
        f"{_DOMAIN}QLinearReduceMean": _unary(_mean),
        f"{_DOMAIN}QLinearConcat": concat,
        f"{_DOMAIN}QLinearWhere": where,
    }
)
