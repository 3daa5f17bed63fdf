"""An If with quantized layers in its branches, which read tensors and constants around them."""

from dataclasses import replace

import numpy as np

from generators import wire
from generators.operators.networks.drawing import Kind, Network, Real
from generators.operators.networks.layers import conv, conv_real, conv_with
from generators.operators.networks.weights import real_weight, weight
from generators.operators.patterns.drawing import Codes

CONDITIONS = ("a constant", "an input", "a computed shape")
BODIES = ("codes to codes", "reals to reals", "weights around it", "one layer and none")
CELLS = (
    *(f"graphs If on {each}" for each in CONDITIONS),
    *(f"graphs If with {each}" for each in BODIES),
    *(f"graphs If whose {each} branch runs" for each in ("then", "else")),
    "graphs If behind a layer",
    "graphs If before a layer",
)


def choice(net: Network) -> None:
    """``y = f(x) if condition else g(x)``, f and g convolutions, or g the identity."""
    body = net.choices.spread(BODIES)
    net.cell(f"with {body}")
    if body in ("reals to reals", "weights around it"):
        net.on_codes = False
    x = net.input(net.image())
    if net.choices.flag():
        net.cell("behind a layer")
        x = conv(net, x, x.shape[1])
    condition = _condition(net, x)
    y = _chosen(net, condition, x, body)
    if net.choices.flag():
        net.cell("before a layer")
        y = conv(net, y, net.width(4))
    net.leave(y)


def _condition(net: Network, x: Codes) -> str:
    kind, holds = net.choices.spread(CONDITIONS), net.choices.flag()
    net.cell(f"on {kind}")
    net.cell(f"whose {'then' if holds else 'else'} branch runs")
    flag = np.array(holds)
    if kind == "a constant":
        return net.constant(flag)
    if kind == "an input":
        return net.graph.input(net.new("x"), flag)
    shape = net.node("Shape", [x.name])
    index, axis = net.constant(np.array(1, np.int64)), [wire.integer("axis", 0)]
    channels = net.node("Gather", [shape, index], axis)
    bound = net.constant(np.array(x.shape[1] + holds, np.int64))
    return net.node("Less", [channels, bound])


def _chosen(net: Network, condition: str, x: Codes, body: str) -> Codes:
    filters, around = x.shape[1], None
    if body == "weights around it":
        around = weight(net, (filters, filters, 1, 1), 0)
        name = real_weight(net, around)
    real = net.real(x) if body == "reals to reals" else None

    def grow(kernel: int) -> Codes | Real:
        if real:
            return conv_real(net, real, filters, kernel, target=x.parameters)
        if around:
            made = conv_with(net, net.real(x, own=True), around, name)
            return net.codes(made, x.parameters)
        if body == "one layer and none" and kernel == 1:
            return replace(x, name=net.node("Identity", [x.name]))
        return conv(net, x, filters, kernel, target=x.parameters)

    attributes = [
        net.branch("else_branch", lambda: grow(net.choices.pick((1, 3)))),
        net.branch("then_branch", lambda: grow(net.choices.pick((3, 1)))),
    ]
    made = net.node("If", [condition], attributes)
    if real:
        return net.codes(replace(real, name=made), x.parameters)
    return replace(x, name=made)


NETWORKS = {"If": Kind(choice)}
