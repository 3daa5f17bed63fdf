"""Chains of other types: weights in blocks or of 4 bits, activations of 16 bits, 8-bit floats."""

from dataclasses import replace
from math import sqrt

import numpy as np

from generators import qparams, wire
from generators.operators.networks.drawing import Kind, Network, Real
from generators.operators.networks.layers import (
    binary,
    conv,
    conv_with,
    linear,
    linear_real,
    move,
)
from generators.operators.networks.numbers import TYPICAL, codes_of, fitted
from generators.operators.networks.weights import real_weight, weight
from generators.operators.patterns.drawing import Parameters

BLOCKED = ("int4", "uint4", "int8", "uint8")
NIBBLES = ("int4", "uint4")
WIDE = ("int16", "uint16")
FLOATS = ("float8_e4m3fn", "float8_e5m2")
LAYERS = ("MatMul", "Conv")
ACTIVATIONS = ("in float", "quantized")
CELLS = (
    *(f"graphs blocks of {dtype} along axis {axis}" for dtype in BLOCKED for axis in (0, 1)),
    *(f"graphs blocks with activations {each}" for each in ACTIVATIONS),
    "graphs blocks with a partial last one",
    *(f"graphs nibbles {dtype} in {layer}" for dtype in NIBBLES for layer in LAYERS),
    *(f"graphs wide {dtype} {words}" for dtype in WIDE for words in ("alone", "among 8 bits")),
    *(f"graphs float8 {dtype} in {layer}" for dtype in FLOATS for layer in LAYERS),
    *(f"graphs float8 {words}" for words in ("by saturation", "with a move")),
)


def blocks(net: Network) -> None:
    """Two products with weights in blocks, Relu between; activations in float or quantized."""
    dtype, axis, how = (
        net.choices.spread(BLOCKED),
        net.choices.pick((0, 1)),
        net.choices.spread(ACTIVATIONS),
    )
    net.cell(f"of {dtype} along axis {axis}")
    net.cell(f"with activations {how}")
    shape = (net.batch, net.choices.pick((8, 4, 6, 10)))
    x = net.real(net.input(shape))
    for _ in range(2):
        x = _blocked_product(net, x, dtype, axis)
        x = replace(x, name=net.node("Relu", [x.name]))
        if how == "quantized":
            x = net.real(net.codes(x))
    net.leave(x)


def _blocked_product(net: Network, x: Real, dtype: str, axis: int) -> Real:
    shape = (x.shape[1], net.choices.pick((6, 4, 8, 5)))
    length, block = shape[axis], net.choices.pick((2, 4, 3))
    count = -(-length // block)
    if length % block:
        net.cell("with a partial last one")
    rows = (count, shape[1]) if axis == 0 else (shape[0], count)
    scale = fitted(qparams.input_scale(net.choices, net.style), dtype)
    scales = qparams.per_channel(net.choices, net.style, scale, rows[0] * rows[1])
    zero = 128 if dtype == "uint8" else 8 if dtype == "uint4" else 0
    seed = net.choices.integer(0, 65535)
    w = net.constant(codes_of("random", seed, shape, Parameters(dtype, scale, zero)))
    inputs = [w, net.constant(np.array(scales, np.float32).reshape(rows))]
    if zero or net.choices.flag():
        inputs.append(net.constant(np.full(rows, zero).astype(wire.code_dtype(dtype))))
    attributes = [wire.integer("axis", axis), wire.integer("block_size", block)]
    real = net.node("DequantizeLinear", inputs, attributes)
    size = TYPICAL[dtype] * x.size * sqrt(shape[0])
    name = net.node("MatMul", [x.name, real])
    return Real(name, (x.shape[0], shape[1]), size, x.step * max(scales))


def nibbles(net: Network) -> None:
    """Activations of 8 bits, weights of 4; then a layer of 8-bit weights."""
    dtype, layer = net.choices.spread(NIBBLES), net.choices.spread(LAYERS)
    net.cell(f"{dtype} in {layer}")
    if layer == "Conv":
        x = net.input(net.image())
        w = weight(net, (net.width(4), x.shape[1], 1, 1), 0, dtype=dtype)
        y = net.codes(conv_with(net, net.real(x), w, real_weight(net, w)))
        net.leave(conv(net, y, net.width(4)))
        return
    x = net.input((net.batch, net.choices.pick((4, 3, 8))))
    y = net.codes(linear_real(net, net.real(x), net.width(), dtype=dtype))
    net.leave(linear(net, y, net.width()))


def wide(net: Network) -> None:
    """A product, a sum and a product of 16-bit activations, or of 16 bits between 8."""
    dtype, mixed = net.choices.spread(WIDE), net.choices.flag()
    net.cell(f"{dtype} {'among 8 bits' if mixed else 'alone'}")
    if not mixed:
        net.dtype = dtype
    x = net.input((net.batch, net.choices.pick((4, 3, 8))))
    real = linear_real(net, net.real(x), x.shape[1])
    y = net.codes(real, net.result(real, dtype))
    if mixed and net.choices.flag():
        y = net.codes(net.real(y), net.result(net.real(y), net.dtype))
    y = binary(net, "Add", y, x)
    net.leave(linear(net, y, net.width()))


def floats(net: Network) -> None:
    """Activations and weights that are 8-bit floats, through one or two layers."""
    dtype, layer = net.choices.spread(FLOATS), net.choices.spread(LAYERS)
    net.cell(f"{dtype} in {layer}")
    net.dtype = net.w_dtype = dtype
    shape = net.image() if layer == "Conv" else (net.batch, net.choices.pick((4, 3, 8)))
    x = net.real_input(shape, net.parameters())
    if net.style == "saturating":
        net.cell("by saturation")
    y = net.codes(x)
    if layer == "MatMul":
        y = linear(net, y, net.width())
    else:
        y = conv(net, y, net.width(4), net.choices.pick((1, 3)))
    if net.choices.flag(3):
        net.cell("with a move")
        turned = y.shape[:1] + y.shape[:0:-1]
        perm = (0, *range(len(shape) - 1, 0, -1))
        y = move(net, "Transpose", y, turned, [wire.ints("perm", perm)])
    net.leave(net.real(y, own=True))


NETWORKS = {
    "blocks": Kind(blocks, 21, on_codes=False, weights=False),
    "nibbles": Kind(nibbles, 21, on_codes=False),
    "wide": Kind(wide, 21, on_codes=False),
    "float8": Kind(floats, 21, on_codes=False),
}
