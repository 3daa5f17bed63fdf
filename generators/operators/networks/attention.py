"""Transformers: attention of one or two heads, a perceptron with a skip."""

from dataclasses import replace
from math import sqrt

import numpy as np

from generators import wire
from generators.operators.networks.drawing import Kind, Network, Real
from generators.operators.networks.layers import (
    binary,
    binary_real,
    linear,
    linear_real,
    matmul,
    move,
)
from generators.operators.networks.tails import TAILS, Tail
from generators.operators.patterns.drawing import Codes

SCALINGS = ("Mul", "Div", "on the queries", "none")
PLACES = ("in float", "quantized")
ACTIVATIONS = ("GELU by Erf", "QuickGELU", "Relu", "SiLU")
CELLS = (
    *(f"graphs attention of {heads} heads" for heads in (1, 2)),
    *(f"graphs attention scaled by {each}" for each in SCALINGS),
    *(f"graphs attention with scores {each}" for each in PLACES),
    *(f"graphs attention {each}" for each in ("with a mask", "with projections")),
    *(f"graphs perceptron with {each}" for each in ACTIVATIONS),
    *(f"graphs perceptron {each}" for each in ("normalized", "with a skip", "with a bias")),
)


def attention(net: Network) -> None:
    """``softmax(q k^T / sqrt(d)) v``, with or without projections and heads.

    Source:
        Vaswani et al., Attention is all you need, 2017; as ONNX exporters write it.
    """
    heads, depth = net.choices.spread((1, 2)), net.choices.pick((2, 4, 3))
    net.cell(f"of {heads} heads")
    x = net.input((net.batch, net.choices.pick((3, 4, 2)), heads * depth))
    if heads == 2:
        query, value = (_by_head(net, x, depth, (0, 2, 1, 3)) for _ in range(2))
        key = _by_head(net, x, depth, (0, 2, 3, 1))
    else:
        query, key, value = (_projected(net, x) for _ in range(3))
        key = _turned(net, key, (0, 2, 1))
    weights = _weights(net, query, key, depth)
    y = matmul(net, weights, value)
    if heads == 2:
        y = _turned(net, y, (0, 2, 1, 3))
        target = net.constant(np.array((0, 0, heads * depth), np.int64))
        y = move(net, "Reshape", y, x.shape, (), [target])
    net.leave(y)


def _projected(net: Network, x: Codes) -> Codes:
    """The input, or a product with weights."""
    if net.choices.flag():
        return x
    net.cell("with projections")
    return linear(net, x, x.shape[-1])


def _turned(net: Network, x: Codes, perm: tuple[int, ...]) -> Codes:
    shape = tuple([x.shape[axis] for axis in perm])
    return move(net, "Transpose", x, shape, [wire.ints("perm", perm)])


def _by_head(net: Network, x: Codes, depth: int, perm: tuple[int, ...]) -> Codes:
    """(N, T, heads * depth) to (N, T, heads, depth), turned."""
    shape = (*x.shape[:2], x.shape[2] // depth, depth)
    target = net.constant(np.array((0, 0, *shape[2:]), np.int64))
    return _turned(net, move(net, "Reshape", x, shape, (), [target]), perm)


def _weights(net: Network, query: Codes, key: Codes, depth: int) -> Codes:
    """The softmax of scaled scores."""
    scaling, place = net.choices.spread(SCALINGS), net.choices.spread(PLACES)
    net.cell(f"scaled by {scaling}")
    net.cell(f"with scores {place}")
    factor = 4.0 / _reach(query, key)  # so that Softmax sees a few units
    factor = 2.0 ** round(np.log2(factor)) if net.choices.flag() else factor
    if place == "quantized" and scaling in ("Mul", "Div", "none"):
        scores = net.real(matmul(net, query, key))
    else:
        scores = _float_scores(net, query, key, factor if "queries" in scaling else 0.0)
    if scaling in ("Mul", "Div"):
        constant = np.array(factor if scaling == "Mul" else 1 / factor, np.float32)
        name = net.node(scaling, [scores.name, net.constant(constant)])
        scores = replace(scores, name=name, step=scores.step * factor)
        if place == "quantized":
            scores = net.real(net.codes(scores))
    if net.choices.flag(3):
        net.cell("with a mask")
        mask = np.triu(np.full(scores.shape[-2:], -64, np.float32), 1)
        scores = replace(scores, name=net.node("Add", [scores.name, net.constant(mask)]))
    axis = len(scores.shape) - 1
    name = net.node("Softmax", [scores.name], [wire.integer("axis", axis)])
    return net.codes(Real(name, scores.shape, 256.0, 1 / 256))


def _reach(query: Codes, key: Codes) -> float:
    scales = query.parameters.scale * key.parameters.scale
    return 74.0 * 74.0 * sqrt(query.shape[-1]) * scales


def _float_scores(net: Network, query: Codes, key: Codes, factor: float) -> Real:
    """A product that is not quantized; the queries may be scaled before it."""
    a, b = net.real(query), net.real(key)
    if factor:
        scaled = net.node("Mul", [a.name, net.constant(np.array(factor, np.float32))])
        a = replace(a, name=scaled, step=a.step * factor)
    shape = (*a.shape[:-1], b.shape[-1])
    size = a.size * b.size * sqrt(a.shape[-1])
    return Real(net.node("MatMul", [a.name, b.name]), shape, size, a.step * b.step)


def perceptron(net: Network) -> None:
    """Two products with an activation between; a skip and a normalization, or none."""
    act = net.choices.spread(ACTIVATIONS)
    net.cell(f"with {act}")
    is_normal = net.choices.flag(4)
    if is_normal:
        net.cell("normalized")
        net.need_opset(17)
    p = net.unit_parameters(2.0)
    x = net.input((net.batch, net.choices.pick((3, 1, 2)), net.width(5)), p)
    start = _normalized(net, x) if is_normal else x
    y = linear_real(net, net.real(start), net.width(), target=net.unit_parameters(3.0))
    if net.choices.flag():
        net.cell("with a bias")
        bias = np.linspace(-1, 1, y.shape[-1], dtype=np.float32)
        y = replace(y, name=net.node("Add", [y.name, net.constant(bias)]))
    place = net.choices.pick(("in float", "quantized between"))
    codes = net.codes(TAILS[act][0](Tail(net, place), y))
    made = linear_real(net, net.real(codes), x.shape[-1], target=p)
    if net.choices.flag():
        net.cell("with a skip")
        if net.choices.flag():
            net.leave(binary(net, "Add", net.codes(made), x))
            return
        made = binary_real(net, "Add", made, net.real(x))
    net.leave(net.codes(made))


def _normalized(net: Network, x: Codes) -> Codes:
    """A LayerNormalization of the last axis."""
    slope = np.linspace(0.5, 1.5, x.shape[-1], dtype=np.float32)
    offset = np.linspace(-0.25, 0.25, x.shape[-1], dtype=np.float32)
    inputs = [net.real(x).name, net.constant(slope), net.constant(offset)]
    name = net.node("LayerNormalization", inputs, [wire.integer("axis", -1)])
    return net.codes(Real(name, x.shape, 110.0, 2.0 / 110))


NETWORKS = {"attention": Kind(attention), "perceptron": Kind(perceptron, on_codes=False)}
