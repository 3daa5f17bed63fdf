"""Activations as exporters write them: one operator or several, in float or quantized between."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import pi, sqrt
from types import MappingProxyType

import numpy as np

from generators import qparams, wire
from generators.operators.networks.drawing import Kind, Network, Real
from generators.operators.networks.layers import conv_real, gemm_real, linear_real
from generators.operators.networks.residual import clipped
from generators.operators.patterns.drawing import Parameters

PLACES = ("in float", "quantized between", "quantized before")
LAYERS = ("Conv", "MatMul", "Gemm", "Add")
_UNIT = 1 / 256


@dataclass(frozen=True, slots=True)
class Tail:
    """An activation while it is written: the network, and where it is quantized between."""

    net: Network
    place: str

    def op(self, op: str, *inputs: Real, size: float = 0.0, step: float = 0.0) -> Real:
        """One operator; its result reaches as far as its first input, unless it is said."""
        name = self.net.node(op, [each.name for each in inputs])
        return self.between(_like(inputs[0], name, size, step))

    def between(self, y: Real) -> Real:
        """Through codes and back, where every step is quantized."""
        if self.place != "quantized between":
            return y
        return self.net.real(self.net.codes(y), own=True)

    def constant(self, value: float) -> Real:
        """A float constant; dequantized from one code where every step is quantized."""
        if self.place == "quantized between" and self.net.choices.flag():
            p = Parameters("uint8", qparams.float32(value / 128), 0)
            codes = self.net.constant_codes((), p, np.array(128, np.uint8))
            return self.net.real(codes, own=True)
        name = self.net.constant(np.array(value, np.float32))
        return Real(name, (), 256.0, abs(value) / 256.0)

    def times(self, a: Real, b: Real, size: float = 0.0, step: float = 0.0) -> Real:
        """A product in either order; it reaches as far as ``a``, unless it is said."""
        names = [a.name, b.name]
        if self.net.choices.flag():
            names.reverse()
        return self.between(_like(a, self.net.node("Mul", names), size, step))

    def plus(self, a: Real, value: float) -> Real:
        """A sum with a constant; it reaches further by that."""
        made = self.net.node("Add", [a.name, self.constant(value).name])
        return self.between(replace(a, name=made, size=a.size + value / a.step))


def _like(x: Real, name: str, size: float, step: float) -> Real:
    return Real(name, x.shape, size or x.size, step or x.step)


def _silu(t: Tail, x: Real) -> Real:
    return t.times(x, t.op("Sigmoid", x, size=256.0, step=_UNIT))


def _quick_gelu(t: Tail, x: Real) -> Real:
    scaled = t.times(x, t.constant(1.702), x.size * 1.702)
    return t.times(x, t.op("Sigmoid", scaled, size=256.0, step=_UNIT))


def _hard_swish_steps(t: Tail, x: Real) -> Real:
    """``x * clip(x + 3, 0, 6) / 6``."""
    moved = t.plus(x, 3.0)
    clip = Real(clipped(t.net, moved, 0.0, 6.0), x.shape, 256.0, 6 / 256)
    made = t.times(x, t.between(clip), x.size * 6)
    if t.net.choices.flag():
        return t.times(made, t.constant(1 / 6), x.size)
    divided = t.net.node("Div", [made.name, t.constant(6.0).name])
    return t.between(replace(x, name=divided))


def _hard_sigmoid_product(t: Tail, x: Real) -> Real:
    attributes = [wire.real("alpha", 1 / 6)]
    name = t.net.node("HardSigmoid", [x.name], attributes)
    return t.times(x, t.between(Real(name, x.shape, 256.0, _UNIT)))


def _gelu_erf(t: Tail, x: Real) -> Real:
    """``x / 2 * (1 + erf(x / sqrt 2))``, the half first or last."""
    name = t.net.node("Div", [x.name, t.constant(sqrt(2)).name])
    erf = t.op("Erf", t.between(replace(x, name=name)), size=256.0, step=1 / 128)
    one = t.plus(erf, 1.0)
    if t.net.choices.flag():
        return t.times(t.times(x, one, x.size * 2), t.constant(0.5), x.size)
    return t.times(t.times(x, t.constant(0.5), x.size / 2), one, x.size)


def _gelu_tanh(t: Tail, x: Real) -> Real:
    """``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))``; in float throughout."""
    t = replace(t, place="in float")
    cube = t.times(t.times(x, x), x)
    inner = t.net.node("Add", [x.name, t.times(cube, t.constant(0.044715)).name])
    scaled = t.times(replace(x, name=inner), t.constant(sqrt(2 / pi)))
    one = t.plus(t.op("Tanh", scaled, size=256.0, step=1 / 128), 1.0)
    return t.times(t.times(x, one), t.constant(0.5))


def _mish(t: Tail, x: Real) -> Real:
    return t.times(x, t.op("Tanh", t.op("Softplus", x), size=256.0, step=1 / 128))


def _relu_six(t: Tail, x: Real) -> Real:
    return replace(x, name=clipped(t.net, x, 0.0, 6.0))


def _narrow_clip(t: Tail, x: Real) -> Real:
    """Bounds on both sides of 0 or on one, within what the values reach."""
    reach = x.size * x.step
    least, most = t.net.choices.pick(((-0.5, 0.5), (0.25, 0.75), (-1.0, 0.0)))
    return replace(x, name=clipped(t.net, x, least * reach, most * reach))


def _leaky_relu(t: Tail, x: Real) -> Real:
    alpha = t.net.choices.pick((0.1, 0.01, 0.25))
    return replace(x, name=t.net.node("LeakyRelu", [x.name], [wire.real("alpha", alpha)]))


def _prelu(t: Tail, x: Real) -> Real:
    count = x.shape[1] if len(x.shape) > 2 else 1
    slope = np.linspace(0.05, 0.5, count, dtype=np.float32)
    slope = slope.reshape(count, *(1,) * max(len(x.shape) - 2, 0))
    return replace(x, name=t.net.node("PRelu", [x.name, t.net.constant(slope)]))


def _one(op: str, size: float = 0.0, step: float = 0.0) -> Callable[[Tail, Real], Real]:
    """A tail of one operator without attributes."""

    def tail(t: Tail, x: Real) -> Real:
        return t.op(op, x, size=size, step=step)

    return tail


def _gelu(t: Tail, x: Real) -> Real:
    form = t.net.choices.pick(("none", "tanh"))
    name = t.net.node("Gelu", [x.name], [wire.text("approximate", form)])
    return replace(x, name=name)


TAILS: Mapping[str, tuple[Callable[[Tail, Real], Real], int]] = MappingProxyType(
    {
        "Relu": (_one("Relu"), 10),
        "Relu6": (_relu_six, 10),
        "Clip": (_narrow_clip, 10),
        "LeakyRelu": (_leaky_relu, 10),
        "PRelu": (_prelu, 10),
        "SiLU": (_silu, 10),
        "Swish": (_one("Swish"), 24),
        "HardSwish": (_one("HardSwish"), 14),
        "HardSwish in steps": (_hard_swish_steps, 10),
        "HardSwish by HardSigmoid": (_hard_sigmoid_product, 10),
        "Gelu": (_gelu, 20),
        "GELU by Erf": (_gelu_erf, 10),
        "GELU by Tanh": (_gelu_tanh, 10),
        "QuickGELU": (_quick_gelu, 10),
        "Mish in steps": (_mish, 10),
        "Sigmoid": (_one("Sigmoid", 256.0, _UNIT), 10),
        "Tanh": (_one("Tanh", 256.0, 1 / 128), 10),
        "Softplus": (_one("Softplus"), 10),
        "Elu": (_one("Elu"), 10),
    }
)
"""Each activation and the first opset that has its operators."""
CELLS = (
    *(f"graphs tail {name}" for name in TAILS),
    *(f"graphs tail {place}" for place in PLACES),
    *(f"graphs tail of {layer}" for layer in LAYERS),
    "graphs tail left in float",
)


def tail(net: Network) -> None:
    """A layer and an activation, whose values are a few units large, as trained ones are."""
    name = net.choices.spread(tuple(TAILS))
    net.need_opset(TAILS[name][1])
    place, layer = net.choices.spread(PLACES), net.choices.spread(LAYERS)
    for words in (name, place, f"of {layer}"):
        net.cell(words)
    y = _layer(net, layer)
    if place != "in float":
        y = net.real(net.codes(y))
    y = TAILS[name][0](Tail(net, place), y)
    if net.choices.flag(4):
        net.cell("left in float")
        net.leave(y)
    else:
        net.leave(net.codes(y))


def _layer(net: Network, layer: str) -> Real:
    image = () if layer in ("MatMul", "Gemm") else (net.choices.pick((4, 2, 3)), 2)
    shape = (net.batch, net.width(), *image)
    units = net.unit_parameters(4.0)
    x = net.real(net.input(shape, units))
    if layer == "Conv":
        return conv_real(net, x, net.width(), net.choices.pick((1, 3)), target=units)
    if layer == "MatMul":
        return linear_real(net, x, net.width(), target=units)
    if layer == "Gemm":
        return gemm_real(net, x, net.width(), target=units)
    z = net.real(net.input(shape, net.unit_parameters(4.0)))
    return replace(x, name=net.node("Add", [x.name, z.name]), size=2 * x.size)


NETWORKS = {"tail": Kind(tail, on_codes=False)}
