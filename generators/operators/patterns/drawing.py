"""What all patterns are drawn with: codes with parameters, related pairs, a small convolution."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from corpus.case import Array
from generators import arrays, qparams, wire
from generators.arrays import LOWEST
from generators.builder import GraphBuilder, Pair
from generators.choices import Choices

OPSETS = (17, 13, 21, 18, 15, 23)
KINDS = ("random", "random", "extremes", "coarse", "seven-bit", "constant")
SIZES = (2, 1, 3, 4, 5, 8, 9)
RELATIONS = (
    *("equal", "zero point differs", "scale differs", "scales are close"),
    *("scales are tiny", "scales are huge", "type differs", "type and zero point are shifted"),
)
"""How the second of two pairs of scale and zero point differs from the first."""
_TINY = (3e-7, 5e-7, 7e-7)  # not one float16 with their products below
_FACTORS = (2.0, 0.5, 1.5, 1.25)
OTHER = {"uint8": "int8", "int8": "uint8"}
TYPICAL = 74.0  # a code of an activation, and of a weight, less the zero point
REACH = 200.0  # a sum of two activations, in steps of the larger scale


@dataclass(frozen=True, slots=True)
class Parameters:
    """The type, scale and zero point of codes."""

    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Codes:
    """A tensor of codes: its name, parameters, their names and its shape."""

    name: str
    parameters: Parameters
    pair: Pair
    shape: tuple[int, ...]


class Pattern:
    """A graph while it grows, with the choices it is drawn by and the cells it fills."""

    def __init__(self, choices: Choices, scales: str, name: str) -> None:
        self.choices = choices
        self.style = qparams.style(choices, scales)
        self.opset = choices.pick(OPSETS)
        self.dtype = choices.pick(("uint8", "int8"))
        self.graph = GraphBuilder(self.opset, zero_points_written=not choices.flag(4))
        self.cells = {f"pattern {name}"}

    def parameters(self, dtype: str = "") -> Parameters:
        """Those of an activation."""
        dtype = dtype or self.dtype
        scale = qparams.input_scale(self.choices, self.style)
        return Parameters(dtype, scale, qparams.zero_point(self.choices, dtype))

    def related(self, first: Parameters) -> tuple[Parameters, Parameters]:
        """Parameters like the first, or the first changed, and others that nearly equal them."""
        relation = self.choices.pick(RELATIONS)
        self.cells.add(
            f"pairs whose {relation}" if " " in relation else "pairs that are equal"
        )
        return _related(self.choices, relation, first)

    def shape(self, rank: int = 4, most: int = 6) -> tuple[int, ...]:
        """A shape whose sizes are often equal, so that a wrong axis still fits."""
        sizes = [each for each in SIZES if each <= most]
        if self.choices.flag():
            return (self.choices.pick(sizes),) * rank
        return tuple([self.choices.pick(sizes) for _ in range(rank)])

    def codes(self, name: str, parameters: Parameters, shape: tuple[int, ...]) -> Codes:
        """A graph input of codes."""
        given = self._values(parameters, shape)[0]
        self.graph.input(name, given)
        pair = self.pair(name, parameters)
        return Codes(name, parameters, pair, shape)

    def reals(self, name: str, parameters: Parameters, shape: tuple[int, ...]) -> str:
        """A graph input of reals, about those that the parameters can represent."""
        code, seed = self._values(parameters, shape)
        offset = self.choices.pick(("random", "half", "none"))
        given = arrays.reals(code, parameters.zero_point, parameters.scale, offset, seed)
        return self.graph.input(name, given)

    def _values(self, p: Parameters, shape: tuple[int, ...]) -> tuple[Array, int]:
        kind, seed = self.choices.pick(KINDS), self.choices.integer(0, 65535)
        return arrays.codes(kind, seed, shape, p.dtype, p.zero_point), seed

    def pair(self, name: str, p: Parameters) -> Pair:
        """Scale and zero point as initializers."""
        return self.graph.pair(name, p.dtype, p.scale, p.zero_point)

    def dequantize(self, codes: Codes, reader: str = "") -> str:
        """The reals of codes, from a DequantizeLinear of their own."""
        name = f"{codes.name}{reader}"
        return self.graph.dequantize(f"d_{name}", codes.name, codes.pair, f"{name}_r")

    def quantize(
        self, name: str, real: str, parameters: Parameters, shape: tuple[int, ...]
    ) -> Codes:
        """The codes of reals."""
        pair = self.pair(name, parameters)
        self.graph.quantize(f"q_{name}", real, pair, name)
        return Codes(name, parameters, pair, shape)

    def leave(self, codes: Codes, *, may_be_real: bool = True) -> None:
        """Codes as a graph output, now and then dequantized."""
        if may_be_real and self.choices.flag(3):
            self.leave_real(self.dequantize(codes, "_out"), codes.shape)
        else:
            self.graph.output(codes.name, codes.parameters.dtype, codes.shape)

    def leave_real(self, name: str, shape: tuple[int, ...]) -> None:
        """Reals as a graph output."""
        self.graph.output(name, "float32", shape)

    def conv(
        self, x: str, like: Parameters, shape: tuple[int, ...], name: str, channels: int = 0
    ) -> "Convolved":
        """A convolution of dequantized codes that keeps the size of the image."""
        channels = channels or self.choices.pick(SIZES)
        kernel = self.choices.pick((1, 3))
        scale = qparams.input_scale(self.choices, self.style)
        codes = arrays.codes(
            self.choices.pick(("random", "seven-bit")),
            self.choices.integer(0, 65535),
            (channels, shape[1], kernel, kernel),
            "int8",
            0,
        )
        w = self.graph.array(f"w_{name}", codes)
        pair = self.graph.constant_pair(w, "int8", (scale,), (0,))
        real = self.graph.dequantize(f"d_{w}", w, pair, f"{w}_r")
        inputs = [x, real]
        product = float(np.float32(like.scale) * np.float32(scale))
        if self.choices.flag():
            inputs.append(self.bias(name, channels, product))
        pads = [wire.ints("pads", (kernel // 2,) * 4)]
        made = self.graph.node("Conv", name, inputs, f"{name}_t", pads)
        size = TYPICAL * TYPICAL * (shape[1] * kernel * kernel) ** 0.5
        return Convolved(made, (shape[0], channels, *shape[2:]), size, product)

    def bias(self, name: str, channels: int, product: float) -> str:
        """An int32 bias in steps of the product of scales, dequantized."""
        given = arrays.codes("random", self.choices.integer(0, 65535), (channels,), "int8", 0)
        b = self.graph.array(f"b_{name}", given.astype(np.int32) * np.int32(16))
        pair = self.graph.constant_pair(b, "int32", (product,), (0,))
        return self.graph.dequantize(f"d_{b}", b, pair, f"{b}_r")

    def result(self, size: float, product: float, dtype: str = "") -> Parameters:
        """Parameters for values that reach ``size`` steps of ``product``."""
        dtype = dtype or self.dtype
        scale = qparams.output_scale(self.choices, self.style, size, product)
        return Parameters(dtype, scale, qparams.zero_point(self.choices, dtype))


@dataclass(frozen=True, slots=True)
class Convolved:
    """The real output of a convolution: its name and shape, and how far it reaches in which steps."""

    name: str
    shape: tuple[int, ...]
    size: float
    product: float


def _related(choices: Choices, relation: str, p: Parameters) -> tuple[Parameters, Parameters]:
    low = LOWEST[p.dtype]
    if relation == "zero point differs":
        zero = qparams.zero_point(choices, p.dtype)
        if zero == p.zero_point:
            zero = low + (p.zero_point - low + choices.pick((1, 64))) % 256
        return p, replace(p, zero_point=zero)
    if relation == "scale differs":
        return p, replace(p, scale=qparams.float32(p.scale * choices.pick(_FACTORS)))
    if relation == "scales are close":
        near = np.float32(p.scale) * np.float32(1 + 2.0 ** -choices.integer(8, 22))
        return p, replace(p, scale=float(near))
    if relation == "scales are tiny":
        p = replace(p, scale=qparams.float32(choices.pick(_TINY)))
        return p, replace(p, scale=qparams.float32(p.scale * choices.pick((1.25, 1.5, 2.0))))
    if relation == "scales are huge":
        p = replace(p, scale=qparams.float32(choices.pick((131072.0, 1e6))))
        return p, replace(p, scale=qparams.float32(p.scale * choices.pick((2.0, 1.25))))
    other = OTHER[p.dtype]
    if relation == "type differs":
        return p, replace(p, dtype=other, zero_point=qparams.zero_point(choices, other))
    if relation == "type and zero point are shifted":
        return p, replace(p, dtype=other, zero_point=p.zero_point - low + LOWEST[other])
    return p, p


def axis_attribute(axis: int) -> Sequence[bytes]:
    """The axis of a QuantizeLinear or DequantizeLinear."""
    return [wire.integer("axis", axis)]
