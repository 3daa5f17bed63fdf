"""What all networks are drawn with: inputs, dequantized reals, layers with weights, outputs.

Each tensor knows how far its values reach, so that the scale behind a layer fits its results.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log2

import numpy as np

from corpus.case import Array, Case
from generators import arrays, qparams, wire
from generators.builder import GraphBuilder, Pair
from generators.choices import Choices
from generators.operators.networks.numbers import TYPICAL, codes_of, fitted, zero_point
from generators.operators.patterns.drawing import KINDS, Codes, Parameters

OPSETS = (17, 13, 21, 18, 15, 10, 11, 12, 14, 16, 19, 20, 22, 23, 24, 25, 26)
PER_AXIS_OPSET = 13
CONTRIB = "com.microsoft"
RELATIONS = ("equal", "unequal", "a last bit apart", "zero points one off")
"""How the parameters of one tensor differ from those of another that meets it."""
BATCHES = (1, 2, 3)
_WIDTHS = (2, 4, 1, 3, 8, 5)
_FROM = {oldest: tuple(each for each in OPSETS if each >= oldest) for oldest in OPSETS}


@dataclass(frozen=True, slots=True)
class Real:
    """A float tensor; its values reach about ``size`` times ``step``."""

    name: str
    shape: tuple[int, ...]
    size: float
    step: float


@dataclass(frozen=True, slots=True)
class Kind:
    """What grows a kind of network, its first opset, and what every network may have or not."""

    grow: Callable[["Network"], None]
    oldest: int = 10
    on_codes: bool = True
    weights: bool = True
    may_be_open: bool = True

    def cells(self, name: str) -> Iterator[str]:
        """The cells that any kind of network has."""
        yield f"graphs {name}"
        has = {"QLinear": self.on_codes, "per channel": self.weights}
        has["open batch"] = self.may_be_open
        yield from (f"graphs {name} {words}" for words, holds in has.items() if holds)


class Network:
    """A graph while it grows, with the choices it is drawn by and the cells it fills.

    Tensors are named x (inputs), t (made by a node), c (codes) and w, b (constants), and counted.
    """

    def __init__(self, choices: Choices, scales: str, name: str, kind: Kind) -> None:
        self.choices, self.what = choices, name
        self.style = qparams.style(choices, scales)
        self.opset = choices.pick(_FROM[kind.oldest])
        self.dtype = choices.pick(("uint8", "int8"))
        self.w_dtype = choices.pick(("int8", self.dtype))
        self.on_codes = kind.on_codes and choices.flag(3)
        self.per_channel = choices.flag() and self.opset >= PER_AXIS_OPSET
        self.shares_reals = choices.flag()
        self.batch = choices.pick(BATCHES)
        self.is_open = kind.may_be_open and choices.flag(4)
        written = not choices.flag(4) or self.on_codes
        self.graph = GraphBuilder(self.opset, zero_points_written=written)
        self.cells = {f"graphs {name}"}
        self._reals: dict[str, str] = {}
        self._left: set[str] = set()
        self.ir = 0  # that of the opset
        self._count = 0

    def need_opset(self, oldest: int) -> None:
        """Draw the opset again if it is too old; nothing may be drawn yet."""
        if self.opset < oldest:
            self.opset = self.graph.opset = self.choices.pick(_FROM[oldest])

    def cell(self, words: str) -> None:
        """Fill a cell of this kind of network."""
        self.cells.add(f"graphs {self.what} {words}")

    def new(self, letter: str) -> str:
        """A name that no other tensor has."""
        self._count += 1
        return f"{letter}{self._count}"

    def width(self, most: int = 8) -> int:
        """A number of channels or features."""
        return self.choices.pick([each for each in _WIDTHS if each <= most])

    def image(self, channels: int = 0) -> tuple[int, ...]:
        """The shape of a small image, often square; the batch is that of the network."""
        height = self.choices.pick((4, 2, 6))
        width = height if self.choices.flag() else self.choices.pick((4, 2, 6))
        return (self.batch, channels or self.width(), height, width)

    def declared(self, shape: tuple[int, ...]) -> tuple[int | str, ...]:
        """A shape as the model states it: its batch may be left open."""
        return ("N", *shape[1:]) if self.is_open and len(shape) > 1 else shape

    def parameters(self, dtype: str = "") -> Parameters:
        """Those of an activation."""
        dtype = dtype or self.dtype
        scale = fitted(qparams.input_scale(self.choices, self.style), dtype)
        return Parameters(dtype, scale, zero_point(self.choices, dtype))

    def unit_parameters(self, reach: float) -> Parameters:
        """Those of an activation whose typical values reach so far, in real units."""
        scale = reach / qparams.HALF_RANGE
        if self.style in ("exact", "beside"):
            scale = 2.0 ** round(log2(scale))
        factor = (4 + self.choices.integer(0, 3)) / 4
        scale = qparams.float32(scale * (1.0 if self.style == "exact" else factor))
        return Parameters(self.dtype, scale, zero_point(self.choices, self.dtype))

    def result(self, y: Real, dtype: str = "") -> Parameters:
        """Parameters that fit the values of a real tensor.

        In the saturating style the scale is too small half the time only, or nothing would be
        left of the values after some layers.
        """
        dtype, style = dtype or self.dtype, self.style
        if style == "saturating" and self.choices.flag():
            style = "exact"
        scale = qparams.output_scale(self.choices, style, y.size, y.step)
        return Parameters(dtype, fitted(scale, dtype), zero_point(self.choices, dtype))

    def related(self, first: Parameters, relation: str) -> Parameters | None:
        """Parameters that differ from ``first`` in one of ``RELATIONS``; None: those that fit."""
        if relation == "unequal":
            return None
        if relation == "a last bit apart":
            near = np.nextafter(np.float32(first.scale), np.float32(2 * first.scale))
            return replace(first, scale=float(near))
        if relation == "zero points one off":
            return replace(
                first, zero_point=first.zero_point + (-1 if first.zero_point > 0 else 1)
            )
        return first

    def input(
        self, shape: tuple[int, ...], parameters: Parameters | None = None, kind: str = ""
    ) -> Codes:
        """A graph input: codes, or now and then reals that are quantized first."""
        name, p = self.new("x"), parameters or self.parameters()
        if self.choices.flag(4) and not self.on_codes:
            return self.codes(self.real_input(shape, p), p)
        kind = kind or self.choices.pick(KINDS)
        given = codes_of(kind, self.choices.integer(0, 65535), shape, p)
        self.graph.input(name, given, self.declared(shape))
        return Codes(name, p, self.pair(name, p), shape)

    def real_input(self, shape: tuple[int, ...], p: Parameters) -> Real:
        """A graph input of reals, about those that the parameters can represent."""
        kind, seed = self.choices.pick(KINDS), self.choices.integer(0, 65535)
        offset = self.choices.pick(("random", "half", "none"))
        given = codes_of(kind, seed, shape, p)
        reals = arrays.reals(given, p.zero_point, p.scale, offset, seed)
        name = self.graph.input(self.new("x"), reals, self.declared(shape))
        return Real(name, shape, TYPICAL[p.dtype], p.scale)

    def pair(self, name: str, p: Parameters) -> Pair:
        """Scale and zero point of an activation as initializers."""
        if p.dtype in arrays.LOWEST:
            return self.graph.pair(name, p.dtype, p.scale, p.zero_point)
        zero = np.array(p.zero_point).astype(wire.code_dtype(p.dtype))
        return Pair(
            self.graph.scale(f"{name}s", (p.scale,)),
            self.graph.array(f"{name}z", zero),
            p.dtype,
        )

    def real(self, x: Codes, *, own: bool = False) -> Real:
        """Codes as reals: from a DequantizeLinear of its own, or that of an earlier reader."""
        known = self._reals.get(x.name)
        if known is None or own or not self.shares_reals:
            name = self.new("t")
            known = self.graph.dequantize(f"d_{name}", x.name, x.pair, name)
            self._reals[x.name] = known
        return Real(known, x.shape, TYPICAL[x.parameters.dtype], x.parameters.scale)

    def codes(
        self, y: Real, parameters: Parameters | None = None, pair: Pair | None = None
    ) -> Codes:
        """Reals as codes; ``pair`` names parameters that are there already."""
        p, name = parameters or self.result(y), self.new("c")
        pair = pair or self.pair(name, p)
        self.graph.quantize(f"q_{name}", y.name, pair, name)
        return Codes(name, p, pair, y.shape)

    def leave(self, y: Codes | Real) -> None:
        """A graph output: reals, or codes, now and then dequantized."""
        if isinstance(y, Codes) and self.choices.flag(4):
            y = self.real(y, own=True)
        self.leave_as_it_is(y)

    def leave_as_it_is(self, y: Codes | Real) -> None:
        """A tensor as a graph output; a second time does nothing."""
        if y.name in self._left:
            return
        self._left.add(y.name)
        dtype = "float32" if isinstance(y, Real) else y.parameters.dtype
        self.graph.output(y.name, dtype, self.declared(y.shape))

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        attributes: Sequence[bytes] = (),
        domain: str = "",
    ) -> str:
        """A node with one output, whose name is returned."""
        return self.nodes(op, inputs, 1, attributes, domain)[0]

    def nodes(
        self,
        op: str,
        inputs: Sequence[str],
        count: int,
        attributes: Sequence[bytes] = (),
        domain: str = "",
    ) -> tuple[str, ...]:
        """A node with several outputs."""
        names = tuple([self.new("t") for _ in range(count)])
        self.graph.foreign(op, f"n_{names[0]}", inputs, names, attributes, domain)
        return names

    def on_their_own(
        self,
        op: str,
        inputs: Sequence[str],
        y: Codes,
        attributes: Sequence[bytes] = (),
        domain: str = "",
    ) -> Codes:
        """A node that makes codes from codes; ``y`` is what it makes."""
        self.cell("QLinear")
        self.graph.foreign(op, f"n_{y.name}", inputs, (y.name,), attributes, domain)
        return y

    def branch(self, name: str, grow: Callable[[], Codes | Real]) -> bytes:
        """A branch of an If, as an attribute; ``grow`` adds its nodes and returns its output."""
        around, reals = self.graph, dict(self._reals)
        self.graph = GraphBuilder(self.opset, zero_points_written=around.zero_points_written)
        y = grow()
        dtype = "float32" if isinstance(y, Real) else y.parameters.dtype
        self.graph.output(y.name, dtype, self.declared(y.shape))
        content = wire.subgraph(name, self.graph.branch(name))
        self.graph, self._reals = around, reals
        return content

    def empty(self, p: Parameters, shape: tuple[int, ...]) -> Codes:
        """Codes that a node is about to make."""
        name = self.new("c")
        return Codes(name, p, self.pair(name, p), shape)

    def constant(self, values: Array) -> str:
        """An initializer."""
        return self.graph.array(self.new("w"), values)

    def constant_codes(
        self, shape: tuple[int, ...], p: Parameters, given: Array | None = None
    ) -> Codes:
        """Codes that are an initializer."""
        if given is None:
            given = codes_of("random", self.choices.integer(0, 65535), shape, p)
        name = self.constant(given)
        return Codes(name, p, self.pair(name, p), shape)

    def case(self) -> Case:
        """The finished case, with its cells."""
        self.cells.add(f"graphs opset {self.opset}")
        if self.is_open:
            self.cells.add(f"graphs {self.what} open batch")
            self.cells.add(f"graphs open batch of {self.batch}")
        return replace(self.graph.case(self.ir), cells=tuple(sorted(self.cells)))


def with_parameters(x: Codes) -> list[str]:
    """Codes with their scale and zero point, as an operator on codes takes them."""
    return [x.name, x.pair.scale, x.pair.zero]
