"""Residual blocks: what is added to a branch, and with which scales."""

from dataclasses import replace

import numpy as np

from generators import wire
from generators.operators.networks.drawing import RELATIONS, Kind, Network, Real
from generators.operators.networks.layers import (
    binary,
    binary_real,
    conv,
    conv_real,
    linear_real,
)

TAILS = ("no tail", "Relu", "Clip")
SKIPS = (
    *(f"{relation} scales" if "equal" in relation else relation for relation in RELATIONS),
    *("float skip", "projection", "unquantized sum", "two blocks", "rows"),
)
CELLS = (
    *(f"graphs residual {each}" for each in (*SKIPS, *TAILS)),
    "graphs residual sum in float",
)


def residual(net: Network) -> None:
    """``y = f(x) + x``; the skip is one of ``SKIPS``."""
    skip = net.choices.spread(SKIPS)
    net.cell(skip)
    if skip in _OF_REALS:
        net.on_codes = False
        _OF_REALS[skip](net)
        return
    x = net.input(net.image())
    kernel, relu = net.choices.pick((3, 1)), net.choices.flag()
    if skip == "projection":
        y = conv(net, x, net.width(), kernel, relu=relu)
        y = binary(net, "Add", conv(net, y, y.shape[1]), conv(net, x, y.shape[1]))
    elif skip == "two blocks":
        y = binary(net, "Add", conv(net, x, x.shape[1], kernel, relu=relu), x)
        y = binary(net, "Add", y, conv(net, y, x.shape[1]))
    else:
        relation = skip.removesuffix(" scales")
        target = net.related(x.parameters, relation)
        y = conv(net, x, x.shape[1], kernel, relu=relu, target=target)
        fits = net.choices.flag()
        y = binary(net, "Add", y, x, x.parameters if fits else None)
    if not net.on_codes and net.choices.flag(3):
        net.leave(conv(net, y, net.width()))
    else:
        net.leave(y)


def _float_skip(net: Network) -> None:
    """The block's input enters as reals; the branch quantizes it, the skip does not."""
    p = net.parameters()
    x = net.real_input(net.image(), p)
    y = conv(net, net.codes(x, p), x.shape[1], net.choices.pick((3, 1)), target=p)
    _finished(net, binary_real(net, "Add", net.real(y), x))


def _unquantized(net: Network) -> None:
    """The branch ends in reals: one integer operation may do both the product and the sum."""
    x = net.input(net.image())
    y = conv_real(net, net.real(x), x.shape[1], net.choices.pick((3, 1)), target=x.parameters)
    _finished(net, binary_real(net, "Add", y, net.real(x)))


def _rows(net: Network) -> None:
    """No image: a MatMul, as in a transformer's block, quantized in some relation to what is added."""
    x = net.input((net.batch, net.width()))
    target = net.related(x.parameters, net.choices.pick(RELATIONS))
    y = net.codes(linear_real(net, net.real(x), x.shape[1], target), target)
    _finished(net, binary_real(net, "Add", net.real(y), net.real(x)))


_OF_REALS = {"float skip": _float_skip, "unquantized sum": _unquantized, "rows": _rows}


def _finished(net: Network, y: Real) -> None:
    """An activation, then codes, or none."""
    y = activated(net, y, net.choices.spread(TAILS))
    if net.choices.flag(3):
        net.cell("sum in float")
        net.leave(y)
    else:
        net.leave(net.codes(y))


def activated(net: Network, y: Real, tail: str) -> Real:
    """Reals behind nothing, a Relu or a Clip."""
    net.cell(tail)
    if tail == "no tail":
        return y
    if tail == "Relu":
        return replace(y, name=net.node("Relu", [y.name]))
    return replace(y, name=clipped(net, y, 0.0, 0.5 * y.size * y.step))


def clipped(net: Network, y: Real, least: float, most: float) -> str:
    """A Clip, whose bounds are attributes before opset 11."""
    bounds = np.float32(least), np.float32(most)
    if net.opset >= 11:
        return net.node("Clip", [y.name, *(net.constant(np.array(each)) for each in bounds)])
    return net.node("Clip", [y.name], [wire.real("min", least), wire.real("max", most)])


NETWORKS = {"residual": Kind(residual)}
