"""Constants as exporters leave them: used twice, shared, computed, stated as inputs, in nodes."""

from dataclasses import replace

import numpy as np

from corpus.case import Array
from generators import arrays, wire
from generators.operators.networks.drawing import Kind, Network, Real
from generators.operators.networks.layers import binary_real, conv_with, linear_with
from generators.operators.networks.weights import real_weight, weight
from generators.operators.patterns.drawing import Codes

TIES = ("by one D", "by a D each", "with two scales", "turned", "in a sum")
SCALES = ("x and w", "w and y", "x and y", "all", "x, y and both zero points")
WAYS = ("left out", "given", "given other values", "IR version 3")
INPUTS = ("weight", "scale", "zero point")
NODES = ("all parameters", "the weights", "the weights by Identity")
QUANTIZED = ("per tensor", "along an axis")
CELLS = (
    *(f"graphs weights used twice {each}" for each in TIES),
    *(f"graphs one scale for {each}" for each in SCALES),
    *(f"graphs initializer as an input, {each}" for each in WAYS),
    *(f"graphs initializer as an input: {each}" for each in INPUTS),
    *(f"graphs Constant nodes for {each}" for each in NODES),
    *(f"graphs weights quantized in the graph {each}" for each in QUANTIZED),
    "graphs weights quantized in the graph with a float bias",
)


def tied(net: Network) -> None:
    """Two layers with the same weights, whose conversions are shared or not."""
    kind = net.choices.spread(TIES)
    net.cell(kind)
    if kind == "turned":
        _turned(net)
        return
    x = net.input(net.image())
    channels = x.shape[1]
    if kind == "in a sum":
        _weight_and_operand(net, x)
        return
    w = weight(net, (channels, channels, 1, 1), 0)
    real = real_weight(net, w)
    y = net.codes(conv_with(net, net.real(x), w, real))
    if kind == "with two scales":
        other = weight(net, (channels, channels, 1, 1), 0)
        w = replace(other, name=w.name)
    if kind != "by one D":
        real = real_weight(net, w)
    net.leave(net.codes(conv_with(net, net.real(y), w, real)))


def _turned(net: Network) -> None:
    """A product with weights, then with the same weights transposed."""
    x = net.input((net.batch, net.choices.pick((2, 3, 4))))
    w = weight(net, (x.shape[1], net.width()), 1)
    real = real_weight(net, w)
    y = net.codes(linear_with(net, net.real(x), w, real))
    name = net.node("Transpose", [real])
    turned = replace(w, shape=w.shape[::-1])
    net.leave(net.codes(linear_with(net, net.real(y), turned, name)))


def _weight_and_operand(net: Network, x: Codes) -> None:
    """One initializer is the weights of a convolution and an operand of a sum."""
    channels = x.shape[1]
    w = weight(net, (channels, channels, 1, 1), 0)
    real = real_weight(net, w)
    y = conv_with(net, net.real(x), w, real)
    sums = net.node("ReduceMax", [real], [wire.integer("keepdims", 1)])
    other = Real(sums, (1, 1, 1, 1), 74.0, max(w.scales))
    net.leave(net.codes(binary_real(net, "Add", y, other)))


def one_scale(net: Network) -> None:
    """A convolution some of whose tensors have one initializer for their scales."""
    kind = net.choices.spread(SCALES)
    net.cell(f"for {kind}")
    net.per_channel = False
    p = net.parameters()
    x = net.input(net.image(), p)
    filters = net.width()
    first = {"x and w", "all"} & {kind}
    w = weight(net, (filters, x.shape[1], 1, 1), 0, scale=p.scale if first else 0.0)
    if first:
        w = replace(w, pair=replace(w.pair, scale=x.pair.scale))
    made = conv_with(net, net.real(x), w, real_weight(net, w))
    wanted = net.result(made)
    if kind == "w and y":
        wanted = replace(wanted, scale=w.scales[0])
        pair = replace(net.pair(net.new("c"), wanted), scale=w.pair.scale)
    elif kind == "x and w":
        pair = net.pair(net.new("c"), wanted)
    else:
        both = "zero" in kind
        wanted = p if both else replace(wanted, scale=p.scale)
        own = replace(net.pair(net.new("c"), wanted), scale=x.pair.scale)
        pair = x.pair if both else own
    net.leave(net.codes(made, wanted, pair))


def as_input(net: Network) -> None:
    """A constant that is an input of the graph too, which the caller gives or leaves out.

    Source:
        ONNX IR: from version 4 on, an initializer that is an input is its default; before,
        every initializer had to be one.
    """
    way, what = net.choices.spread(WAYS), net.choices.spread(INPUTS)
    net.cell(f"as an input, {way}")
    net.cell(f"as an input: {what}")
    x = net.input(net.image())
    w = weight(net, (net.width(4), x.shape[1], 1, 1), 0)
    net.leave(net.codes(conv_with(net, net.real(x), w, real_weight(net, w))))
    if way == "IR version 3":
        net.graph.declare_initializers()
        net.ir = 3
        return
    name = {"weight": w.name, "scale": w.pair.scale, "zero point": x.pair.zero or w.name}[what]
    given = net.graph.initializer(name)
    net.graph.declare(name, given)
    if way == "given other values":
        given = other_values(given)
    if way != "left out":
        net.graph.input(name, given)


def other_values(given: Array) -> Array:
    """Twice a scale, or each code that differs from it in the last bit."""
    if given.dtype == np.float32:
        return np.asarray(given * np.float32(2))
    changed: Array = np.asarray(given ^ np.array(1, given.dtype))
    return changed


def nodes(net: Network) -> None:
    """Two convolutions whose constants are nodes, or come through an Identity."""
    kind = net.choices.spread(NODES)
    net.cell(f"for {kind}")
    if kind == "all parameters":
        net.graph.constants_are_nodes = True
    y = net.input(net.image())
    for _ in range(2):
        w = weight(net, (net.width(4), y.shape[1], 1, 1), 0)
        if kind == "the weights by Identity":
            w = replace(w, name=net.node("Identity", [w.name]))
        elif kind == "the weights":
            name = net.graph.constant(net.new("w"), net.graph.initializer(w.name))
            w = replace(w, name=name)
        y = net.codes(conv_with(net, net.real(y), w, real_weight(net, w)))
    net.leave(y)


def quantized(net: Network) -> None:
    """Weights in float that the graph quantizes and dequantizes, as training leaves them."""
    net.cell(QUANTIZED[net.per_channel])
    net.graph.zero_points_written = True  # before opset 21 they alone say the type
    x = net.input(net.image())
    w = weight(net, (net.width(4), x.shape[1], 1, 1), 0, dtype="int8")
    seed = net.choices.integer(0, 65535)
    scale = np.array(w.scales, np.float32).reshape(-1, 1, 1, 1)
    codes = net.graph.initializer(w.name)
    reals = arrays.reals(codes, 0, 1.0, net.choices.pick(("none", "half", "random")), seed)
    real = net.constant(reals * scale)
    attributes = [wire.integer("axis", 0)] if w.pair.per_channel else []
    inputs = [real, w.pair.scale, w.pair.zero]
    w = replace(w, name=net.node("QuantizeLinear", inputs, attributes))
    made = conv_with(net, net.real(x), w, real_weight(net, w))
    if net.choices.flag():
        net.cell("with a float bias")
        bias = np.linspace(-1, 1, w.shape[0], dtype=np.float32) * np.float32(made.step * 100)
        name = net.node("Add", [made.name, net.constant(bias.reshape(-1, 1, 1))])
        made = replace(made, name=name)
    net.leave(net.codes(made))


NETWORKS = {
    "weights used twice": Kind(tied, on_codes=False),
    "one scale": Kind(one_scale, on_codes=False, weights=False),
    "initializer": Kind(as_input, on_codes=False),
    "Constant nodes": Kind(nodes, on_codes=False),
    "weights quantized in the graph": Kind(quantized, on_codes=False),
}
