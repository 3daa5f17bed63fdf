"""Layers of networks: codes in, codes out, in Q/DQ form or as an operator on codes.

Those that end in ``_real`` take and make reals, for layers that are not quantized between.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import log2, prod, sqrt

import numpy as np

from generators import wire
from generators.arrays import LOWEST
from generators.operators.networks.drawing import CONTRIB, Network, Real, with_parameters
from generators.operators.networks.numbers import TYPICAL
from generators.operators.networks.weights import Weight, bias, real_bias, real_weight, weight
from generators.operators.patterns.drawing import Codes, Parameters


def conv_real(
    net: Network,
    x: Real,
    filters: int,
    kernel: int = 1,
    *,
    groups: int = 1,
    stride: int = 1,
    target: Parameters | None = None,
) -> Real:
    """A convolution with quantized weights that keeps the size of the image, stride apart.

    The weights' scale is such that the result fits the parameters ``target``, if there are any.
    """
    shape = (filters, x.shape[1] // groups, kernel, kernel)
    w = weight(net, shape, 0, scale=_towards(net, x, shape, target))
    return conv_with(net, x, w, real_weight(net, w), groups=groups, stride=stride)


def conv_with(
    net: Network, x: Real, w: Weight, real: str, *, groups: int = 1, stride: int = 1
) -> Real:
    """A convolution with weights that are there already, and are dequantized as ``real``."""
    inputs = [x.name, real]
    if net.choices.flag():
        inputs.append(real_bias(net, x.step, w, w.shape[0]))
    made = net.node("Conv", inputs, _geometry(w.shape[2], groups, stride))
    return _convolved(made, x, w, stride)


def _towards(
    net: Network, x: Real, shape: tuple[int, ...], target: Parameters | None
) -> float:
    """The scale of weights that brings results into the codes of ``target``; 0: any."""
    if target is None:
        return 0.0
    reach = TYPICAL[net.w_dtype] * x.size * sqrt(prod(shape[1:])) * x.step
    scale = target.scale * 110.0 / reach
    return float(np.float32(scale)) if net.style == "tie-free" else 2.0 ** round(log2(scale))


def _geometry(kernel: int, groups: int, stride: int) -> list[bytes]:
    return [
        wire.ints("kernel_shape", (kernel, kernel)),
        wire.ints("strides", (stride, stride)),
        wire.ints("pads", (kernel // 2,) * 4),
        wire.integer("group", groups),
    ]


def _convolved(name: str, x: Real, w: Weight, stride: int) -> Real:
    size = TYPICAL[w.pair.dtype] * x.size * sqrt(prod(w.shape[1:]))
    image = tuple([-(-each // stride) for each in x.shape[2:]])
    return Real(name, (x.shape[0], w.shape[0], *image), size, x.step * max(w.scales))


def conv(
    net: Network,
    x: Codes,
    filters: int,
    kernel: int = 1,
    *,
    groups: int = 1,
    stride: int = 1,
    relu: bool = False,
    target: Parameters | None = None,
) -> Codes:
    """A convolution from codes to codes, with Relu before them or in their zero point."""
    if not net.on_codes:
        real = conv_real(
            net, net.real(x), filters, kernel, groups=groups, stride=stride, target=target
        )
        if relu:
            real = replace(real, name=net.node("Relu", [real.name]))
        return net.codes(real, target)
    shape = (filters, x.shape[1] // groups, kernel, kernel)
    w = weight(net, shape, 0, scale=_towards(net, _typical(x), shape, target))
    made = _convolved("", _typical(x), w, stride)
    p = target or net.result(made)
    if relu:
        p = replace(p, zero_point=LOWEST[p.dtype])
    y = net.empty(p, made.shape)
    inputs = [
        *with_parameters(x),
        w.name,
        w.pair.scale,
        w.pair.zero,
        y.pair.scale,
        y.pair.zero,
    ]
    if net.choices.flag():
        inputs.append(bias(net, x.parameters.scale, w, filters)[0])
    return net.on_their_own("QLinearConv", inputs, y, _geometry(kernel, groups, stride))


def _typical(x: Codes) -> Real:
    return Real("", x.shape, TYPICAL[x.parameters.dtype], x.parameters.scale)


def linear_real(
    net: Network, x: Real, features: int, target: Parameters | None = None, dtype: str = ""
) -> Real:
    """A product of the last axis with quantized weights (K, features)."""
    depth = x.shape[-1]
    scale = _towards(net, x, (1, depth), target)
    w = weight(net, (depth, features), 1, scale=scale, dtype=dtype)
    return linear_with(net, x, w, real_weight(net, w))


def linear_with(net: Network, x: Real, w: Weight, real: str) -> Real:
    """The same with weights that are there already, and are dequantized as ``real``."""
    return _multiplied(net.node("MatMul", [x.name, real]), x, w, w.shape[1])


def _multiplied(name: str, x: Real, w: Weight, features: int) -> Real:
    size = TYPICAL[w.pair.dtype] * x.size * sqrt(x.shape[-1])
    return Real(name, (*x.shape[:-1], features), size, x.step * max(w.scales))


def linear(net: Network, x: Codes, features: int) -> Codes:
    """The same from codes to codes; QLinearMatMul where the network is on codes."""
    if not net.on_codes:
        return net.codes(linear_real(net, net.real(x), features))
    w = weight(net, (x.shape[-1], features), 1)
    made = _multiplied("", _typical(x), w, features)
    y = net.empty(net.result(made), made.shape)
    inputs = [
        *with_parameters(x),
        w.name,
        w.pair.scale,
        w.pair.zero,
        y.pair.scale,
        y.pair.zero,
    ]
    return net.on_their_own("QLinearMatMul", inputs, y)


def gemm_real(net: Network, x: Real, features: int, target: Parameters | None = None) -> Real:
    """A Gemm of rows with weights (features, K) transposed, and a bias."""
    shape = (features, x.shape[1])
    w = weight(net, shape, 0, scale=_towards(net, x, shape, target))
    inputs = [x.name, real_weight(net, w), real_bias(net, x.step, w, features)]
    made = net.node("Gemm", inputs, [wire.integer("transB", 1)])
    return _multiplied(made, x, w, features)


def gemm(net: Network, x: Codes, features: int) -> Codes:
    """The same from codes to codes; QGemm where the network is on codes."""
    if not net.on_codes:
        return net.codes(gemm_real(net, net.real(x), features))
    w = weight(net, (features, x.shape[1]), 0)
    made = _multiplied("", _typical(x), w, features)
    y = net.empty(net.result(made), made.shape)
    inputs = [*with_parameters(x), w.name, w.pair.scale, w.pair.zero]
    inputs.append(bias(net, x.parameters.scale, w, features)[0])
    inputs += [y.pair.scale, y.pair.zero]
    return net.on_their_own("QGemm", inputs, y, [wire.integer("transB", 1)], CONTRIB)


def matmul(net: Network, a: Codes, b: Codes) -> Codes:
    """A product of two activations."""
    shape = (*a.shape[:-1], b.shape[-1])
    reals = _typical(a), _typical(b)
    size = reals[0].size * reals[1].size * sqrt(a.shape[-1])
    made = Real("", shape, size, reals[0].step * reals[1].step)
    if not net.on_codes:
        name = net.node("MatMul", [net.real(a).name, net.real(b).name])
        return net.codes(replace(made, name=name))
    y = net.empty(net.result(made), shape)
    inputs = [*with_parameters(a), *with_parameters(b), y.pair.scale, y.pair.zero]
    return net.on_their_own("QLinearMatMul", inputs, y)


def combined(op: str, a: Real, b: Real, name: str) -> Real:
    """What Add or Mul makes of two tensors."""
    shape = max(a.shape, b.shape, key=prod)
    if op == "Mul":
        return Real(name, shape, a.size * b.size, a.step * b.step)
    step = min(a.step, b.step)
    return Real(name, shape, 1.5 * max(a.size * a.step, b.size * b.step) / step, step)


def binary_real(net: Network, op: str, a: Real, b: Real) -> Real:
    """Add or Mul of reals, in either order."""
    names = [a.name, b.name]
    if net.choices.flag():
        names.reverse()
    return combined(op, a, b, net.node(op, names))


def binary(
    net: Network, op: str, a: Codes, b: Codes, parameters: Parameters | None = None
) -> Codes:
    """Add or Mul from codes to codes."""
    if not net.on_codes:
        return net.codes(binary_real(net, op, net.real(a), net.real(b)), parameters)
    made = combined(op, _typical(a), _typical(b), "")
    y = net.empty(parameters or net.result(made), made.shape)
    inputs = [*with_parameters(a), *with_parameters(b), y.pair.scale, y.pair.zero]
    return net.on_their_own(f"QLinear{op}", inputs, y, (), CONTRIB)


def move(
    net: Network,
    op: str,
    x: Codes,
    shape: tuple[int, ...],
    attributes: Sequence[bytes] = (),
    others: Sequence[str] = (),
) -> Codes:
    """An operator that only moves or selects: on codes, or on reals between D and Q.

    The Q behind it has the parameters of the D before, under the same names or written again.
    """
    if net.on_codes or net.choices.flag(4):
        made = net.node(op, [x.name, *others], attributes)
        return replace(x, name=made, shape=shape)
    real = replace(
        net.real(x), name=net.node(op, [net.real(x).name, *others], attributes), shape=shape
    )
    return net.codes(real, x.parameters, x.pair if net.choices.flag() else None)
