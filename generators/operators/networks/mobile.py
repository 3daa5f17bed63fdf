"""Blocks of small networks: depthwise-separable, inverted residual, squeeze and excite, classifier."""

from dataclasses import replace

import numpy as np

from generators import wire
from generators.operators.networks.drawing import (
    CONTRIB,
    Kind,
    Network,
    Real,
    with_parameters,
)
from generators.operators.networks.layers import (
    binary,
    binary_real,
    conv,
    conv_real,
    gemm,
    move,
)
from generators.operators.networks.residual import clipped
from generators.operators.patterns.drawing import Codes

ACTIVATIONS = ("Relu", "Relu6", "HardSwish", "none")
GATES = ("Sigmoid", "HardSigmoid")
POOLS = ("GlobalAveragePool", "ReduceMean")
ENDS = ("codes", "Softmax", "ArgMax")
CELLS = (
    *(f"graphs separable with {each}" for each in ACTIVATIONS),
    *(f"graphs inverted residual with {each}" for each in ACTIVATIONS),
    *(f"graphs inverted residual {each}" for each in ("with a skip", "with a stride")),
    *(f"graphs squeeze and excite by {each}" for each in (*GATES, *POOLS)),
    *(f"graphs classifier by {each}" for each in POOLS),
    *(f"graphs classifier ends in {each}" for each in ENDS),
)


def _activated(
    net: Network, x: Codes, filters: int, kernel: int, act: str, groups: int
) -> Codes:
    """A convolution and an activation; on codes, there is Relu or none."""
    if net.on_codes or act in ("Relu", "none"):
        return conv(net, x, filters, kernel, groups=groups, relu=act == "Relu")
    real = conv_real(
        net, net.real(x), filters, kernel, groups=groups, target=net.unit_parameters(6.0)
    )
    if act == "Relu6":
        return net.codes(replace(real, name=clipped(net, real, 0.0, 6.0)))
    return net.codes(replace(real, name=net.node("HardSwish", [real.name])))


def _activation(net: Network) -> str:
    act = net.choices.spread(ACTIVATIONS[::3] if net.on_codes else ACTIVATIONS)
    net.cell(f"with {act}")
    if act == "HardSwish":
        net.need_opset(14)
    return act


def separable(net: Network) -> None:
    """Depthwise 3x3, then 1x1.

    Source:
        Howard et al., MobileNets, 2017.
    """
    act = _activation(net)
    x = net.input(net.image())
    y = _activated(net, x, x.shape[1], 3, act, x.shape[1])
    net.leave(_activated(net, y, net.width(), 1, act, 1))


def inverted(net: Network) -> None:
    """Expand, depthwise, project; then the sum with the input, where no stride is.

    Source:
        Sandler et al., MobileNetV2: inverted residuals and linear bottlenecks, 2018.
    """
    act = _activation(net)
    x = net.input(net.image(net.width(4)))
    wide = x.shape[1] * net.choices.pick((2, 3))
    y = _activated(net, x, wide, 1, act, 1)
    if net.choices.flag():
        net.cell("with a stride")
        y = conv(net, y, wide, 3, groups=wide, stride=2, relu=True)
        net.leave(conv(net, y, net.width()))
        return
    net.cell("with a skip")
    y = _activated(net, y, wide, 3, act, wide)
    y = conv(net, y, x.shape[1], target=x.parameters if net.choices.flag() else None)
    net.leave(binary(net, "Add", x, y))


def excite(net: Network) -> None:
    """``x * gate(conv(relu(conv(mean(x)))))``.

    Source:
        Hu et al., Squeeze-and-excitation networks, 2018; HardSigmoid: MobileNetV3, 2019.
    """
    x = net.input(net.image())
    y = pooled(net, x)
    y = conv(net, y, net.width(4), relu=True)
    gate = net.choices.spread(GATES[:1] if net.on_codes else GATES)
    net.cell(f"by {gate}")
    if net.on_codes:
        y = _sigmoid(net, conv(net, y, x.shape[1], target=net.unit_parameters(3.0)))
        net.leave(binary(net, "Mul", x, y))
        return
    real = conv_real(net, net.real(y), x.shape[1], target=net.unit_parameters(3.0))
    if net.choices.flag():
        real = net.real(net.codes(real))
    real = Real(net.node(gate, [real.name]), real.shape, 256.0, 1 / 256)
    if net.choices.flag():
        real = net.real(net.codes(real))
    net.leave(net.codes(binary_real(net, "Mul", net.real(x), real)))


def _sigmoid(net: Network, x: Codes) -> Codes:
    y = net.empty(net.result(Real("", x.shape, 256.0, 1 / 256)), x.shape)
    inputs = [*with_parameters(x), y.pair.scale, y.pair.zero]
    return net.on_their_own("QLinearSigmoid", inputs, y, (), CONTRIB)


def pooled(net: Network, x: Codes) -> Codes:
    """The mean of each channel, 1 by 1."""
    op = net.choices.spread(POOLS[:1] if net.on_codes else POOLS)
    net.cell(f"by {op}")
    shape = (*x.shape[:2], 1, 1)
    if net.on_codes:
        y = net.empty(x.parameters, shape)
        inputs = [*with_parameters(x), y.pair.scale, y.pair.zero]
        attributes = [wire.integer("channels_last", 0)]
        return net.on_their_own(f"QLinear{op}", inputs, y, attributes, CONTRIB)
    real = net.real(x)
    inputs, attributes = [real.name], []
    if op == "ReduceMean":
        attributes = [wire.integer("keepdims", 1)]
        if net.opset < 18:
            attributes.append(wire.ints("axes", (2, 3)))
        else:
            inputs.append(net.constant(np.array((2, 3), np.int64)))
    made = replace(real, name=net.node(op, inputs, attributes), shape=shape)
    return net.codes(made, x.parameters if net.choices.flag() else None)


def classifier(net: Network) -> None:
    """Convolution, mean, rows, Gemm; then the class, its probability or the codes."""
    y = conv(net, net.input(net.image()), net.width(), net.choices.pick((3, 1)), relu=True)
    y = pooled(net, y)
    y = move(net, "Flatten", y, y.shape[:2])
    end = net.choices.spread(ENDS)
    net.cell(f"ends in {end}")
    y = gemm(net, y, net.choices.pick((3, 2, 5, 10)))
    if end == "codes":
        net.leave(y)
        return
    attributes = [wire.integer("axis", 1)]
    if end == "Softmax":
        real = Real(net.node(end, [net.real(y).name], attributes), y.shape, 256.0, 1 / 256)
        net.leave(net.codes(real))
        return
    attributes.append(wire.integer("keepdims", 0))
    name = net.node("ArgMax", [net.real(y).name], attributes)
    net.graph.output(name, "int64", ("N",) if net.is_open else y.shape[:1])


NETWORKS = {
    "separable": Kind(separable),
    "inverted residual": Kind(inverted),
    "squeeze and excite": Kind(excite),
    "classifier": Kind(classifier),
}
