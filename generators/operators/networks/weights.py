"""Constant codes of weights and biases, with one scale or one for each channel."""

from dataclasses import dataclass, replace

import numpy as np

from generators import arrays, qparams, wire
from generators.arrays import LOWEST
from generators.builder import Pair
from generators.operators.networks.drawing import Network
from generators.operators.networks.numbers import codes_of, fitted
from generators.operators.patterns.drawing import Parameters

WEIGHT_KINDS = ("random", "seven-bit", "constant")
_BIAS_STEPS = 16


@dataclass(frozen=True, slots=True)
class Weight:
    """Constant codes: name, scale and zero point by name, the scales and their axis, the shape."""

    name: str
    pair: Pair
    scales: tuple[float, ...]
    axis: int
    shape: tuple[int, ...]


def weight(
    net: Network, shape: tuple[int, ...], axis: int, *, dtype: str = "", scale: float = 0.0
) -> Weight:
    """Codes of weights, with scales along ``axis`` where the network has them so."""
    choices, dtype = net.choices, dtype or net.w_dtype
    scale = scale or fitted(qparams.input_scale(choices, net.style), dtype)
    scales: tuple[float, ...] = (scale,)
    if net.per_channel:
        scales = qparams.per_channel(choices, net.style, scale, shape[axis])
        net.cell("per channel")
    middle = 128 if dtype == "uint8" else 8 if dtype == "uint4" else 0
    zero = middle + choices.pick((0, 0, 3)) if dtype.startswith("u") else 0
    p = Parameters(dtype, scale, zero)
    kind, seed = choices.pick(WEIGHT_KINDS), choices.integer(0, 65535)
    name = net.constant(codes_of(kind, seed, shape, p))
    return Weight(name, parameters_of(net, name, dtype, scales, zero), scales, axis, shape)


def parameters_of(
    net: Network, name: str, dtype: str, scales: tuple[float, ...], zero: int
) -> Pair:
    """Scales and zero points of constant codes."""
    if dtype in LOWEST or dtype == "int32":
        zeros = (zero,) * len(scales)
        pair = net.graph.constant_pair(name, dtype, scales, zeros)
        return replace(pair, per_channel=net.per_channel)
    row = np.array(zero).astype(wire.code_dtype(dtype))
    row = np.broadcast_to(row, (len(scales),)) if net.per_channel else row
    array = np.array(scales if net.per_channel else scales[0], np.float32)
    names = net.graph.array(f"{name}s", array), net.graph.array(f"{name}z", row.copy())
    return Pair(*names, dtype, net.per_channel)


def real_weight(net: Network, w: Weight) -> str:
    """The weights as reals, from a DequantizeLinear of their own."""
    inputs = [w.name, w.pair.scale, w.pair.zero] if w.pair.zero else [w.name, w.pair.scale]
    axis = [wire.integer("axis", w.axis)] if w.pair.per_channel else []
    return net.node("DequantizeLinear", inputs, axis)


def bias(net: Network, x_scale: float, w: Weight, count: int) -> tuple[str, Pair]:
    """An int32 bias in steps of the product of scales."""
    given = arrays.codes("random", net.choices.integer(0, 65535), (count,), "int8", 0)
    name = net.graph.array(net.new("b"), given.astype(np.int32) * np.int32(_BIAS_STEPS))
    scales = tuple((np.float32(x_scale) * np.array(w.scales, np.float32)).tolist())
    return name, parameters_of(net, name, "int32", scales, 0)


def real_bias(net: Network, x_scale: float, w: Weight, count: int) -> str:
    """The same, dequantized."""
    name, pair = bias(net, x_scale, w, count)
    return net.graph.dequantize(f"d_{name}", name, pair, net.new("t"))
