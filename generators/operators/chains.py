"""Chains of two or three convolutions, quantized between, some closed by a residual sum.

One convolution cannot show what goes wrong between two: a scale taken from the wrong neighbour, a
fusion across a shared tensor, a layout that is not undone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from corpus.case import Case
from generators import qparams
from generators.builder import GraphBuilder, Pair
from generators.choices import Choices
from generators.operators.conv.build import conv_attributes, product_scales
from generators.operators.conv.data import b_array, typical_accumulator, w_array, x_array
from generators.operators.conv.spec import NEWEST_OPSET, OLDEST_OPSET, PER_AXIS_OPSET, ConvSpec

CHANNELS = (1, 2, 3, 4, 8, 9, 16)
OUT_PER_GROUP = (1, 2, 3, 4, 7, 8, 9, 12, 16, 17)
MOST_CHANNELS = 36
FORMS = ("QLinearConv", "QDQ")
GROUPINGS = ("plain", "depthwise", "grouped")
ENDS = ("codes", "residual", "residual with Relu", "fused residual")
ALL_CELLS = (
    *(f"chain of {length}" for length in (2, 3)),
    *(f"chain ends in {end}" for end in ENDS),
    *(f"chain with {form} {grouping}" for form in FORMS for grouping in GROUPINGS),
    *(f"chain of {dtype}" for dtype in ("uint8", "int8")),
    "chain with stride",
    "chain with Relu",
    "chain with a shared DequantizeLinear",
)


@dataclass(frozen=True, slots=True)
class _Codes:
    """A quantized activation: its name, parameters and shape."""

    name: str
    pair: Pair
    scale: float
    zero_point: int
    shape: tuple[int, ...]


class _Chain:
    """A chain while it grows: the graph, the choices, and what is dequantized already."""

    def __init__(self, choices: Choices, style: str) -> None:
        self.choices = choices
        self.style = style
        self.opset = choices.pick((PER_AXIS_OPSET, *range(OLDEST_OPSET, NEWEST_OPSET + 1)))
        self.dtype = choices.pick(("uint8", "int8"))
        self.shares = choices.flag()
        self.graph = GraphBuilder(self.opset)
        self.reals: dict[str, str] = {}
        self.cells = {f"chain of {self.dtype}"}

    def real(self, codes: _Codes, reader: str) -> str:
        """The dequantized tensor, from a node of its own or one shared with earlier readers."""
        if self.shares and codes.name in self.reals:
            self.cells.add("chain with a shared DequantizeLinear")
            return self.reals[codes.name]
        output = f"{codes.name}_{reader}"
        self.graph.dequantize(f"d_{output}", codes.name, codes.pair, output)
        return self.reals.setdefault(codes.name, output) if self.shares else output


def chains(choices: Choices, scales: str) -> Case:
    """A chain whose scales follow the policy ``scales``, with its input; ``cells`` are filled in."""
    chain = _Chain(choices, qparams.style(choices, scales))
    length = choices.spread((2, 3))
    end = choices.spread(ENDS)
    first = ConvSpec(
        in_per_group=choices.pick(CHANNELS),
        image=(choices.integer(1, 6), choices.integer(1, 6)),
        x_dtype=chain.dtype,
        x_zero_point=qparams.zero_point(choices, chain.dtype),
        x_scale=qparams.input_scale(choices, chain.style),
        x_kind=choices.pick(("constant", "extremes", "random", "random")),
        x_seed=choices.integer(0, 65535),
    )
    pair = chain.graph.pair("x", chain.dtype, first.x_scale, first.x_zero_point)
    codes = source = _Codes("x", pair, first.x_scale, first.x_zero_point, first.x_shape)
    for number in range(1, length + 1):
        fused = source if number == length and end == "fused residual" else None
        codes = _layer(chain, codes, number, keeps_shape=end != "codes", residual=fused)
    if end.startswith("residual"):
        codes = _residual(chain, codes, source, relu=end.endswith("Relu"))
    chain.graph.output(codes.name, chain.dtype, codes.shape)
    chain.cells |= {f"chain of {length}", f"chain ends in {end}"}
    chain.graph.input("x", x_array(first))
    return replace(chain.graph.case(), cells=tuple(sorted(chain.cells)))


def _layer(
    chain: _Chain,
    x: _Codes,
    number: int,
    *,
    keeps_shape: bool,
    residual: _Codes | None = None,
) -> _Codes:
    """One convolution from codes to codes; a ``residual`` is added before they are quantized."""
    spec = _layer_spec(chain, x, keeps_shape=keeps_shape)
    if residual:
        scale = max(spec.y_scale, residual.scale)
        spec = replace(spec, form="QDQ", y_scale=scale)
    chain.cells |= set(_layer_cells(spec))
    name = f"t{number}"
    pair = chain.graph.pair(name, chain.dtype, spec.y_scale, spec.y_zero_point)
    y = _Codes(name, pair, spec.y_scale, spec.y_zero_point, spec.y_shape)
    if spec.form == "QDQ":
        _qdq_layer(chain, spec, x, y, number, residual)
    else:
        _qlinear_layer(chain, spec, x, y, number)
    return y


def _layer_spec(chain: _Chain, x: _Codes, *, keeps_shape: bool) -> ConvSpec:
    choices, style = chain.choices, chain.style
    form = choices.spread(FORMS)
    groups, out_per_group = _grouping(choices, x.shape[1], keeps_shape=keeps_shape)
    kernel = choices.pick((1, 3))
    stride = 2 if choices.flag(3) and not keeps_shape else 1
    w_dtype = choices.pick(("uint8", "int8"))
    if chain.dtype == "int8":
        w_dtype = "int8"
    w_scale = qparams.input_scale(choices, style)
    per_channel = choices.flag() and chain.opset >= PER_AXIS_OPSET
    filters = groups * out_per_group
    spec = ConvSpec(
        form=form,
        batch=x.shape[0],
        groups=groups,
        in_per_group=x.shape[1] // groups,
        out_per_group=out_per_group,
        image=x.shape[2:],
        kernel=(kernel, kernel),
        strides=(stride, stride),
        pads=(kernel // 2,) * 4,
        x_dtype=chain.dtype,
        x_zero_point=x.zero_point,
        x_scale=x.scale,
        x_kind="random",
        w_dtype=w_dtype,
        w_zero_points=(qparams.zero_point(choices, w_dtype),),
        w_scales=qparams.per_channel(choices, style, w_scale, filters)
        if per_channel
        else (w_scale,),
        w_kind=choices.pick(("constant", "seven-bit", "random")),
        w_seed=choices.integer(0, 65535),
        bias=choices.pick(("none", "int32")),
        b_seed=choices.integer(0, 65535),
        activation="Relu" if choices.flag() and form == "QDQ" else "none",
        y_zero_point=qparams.zero_point(choices, chain.dtype),
    )
    size = typical_accumulator(spec) * (1.0 if spec.bias == "none" else 2.0)
    product = spec.x_scale * max(spec.w_scales)
    return replace(spec, y_scale=qparams.output_scale(choices, style, size, product))


def _grouping(choices: Choices, channels: int, *, keeps_shape: bool) -> tuple[int, int]:
    """Groups, and output channels of each, as many as input channels where shapes are kept."""
    kind = choices.spread(GROUPINGS)
    groups = {"plain": 1, "depthwise": channels, "grouped": 2 - channels % 2}[kind]
    out = min(choices.pick(OUT_PER_GROUP), max(1, MOST_CHANNELS // groups))
    if keeps_shape or kind == "depthwise":
        out = channels // groups
    return groups, out


def _layer_cells(spec: ConvSpec) -> Iterator[str]:
    depthwise = spec.groups > 1 and spec.in_per_group == 1
    grouping = "depthwise" if depthwise else "grouped" if spec.groups > 1 else "plain"
    yield f"chain with {spec.form} {grouping}"
    if prod(spec.strides) > 1:
        yield "chain with stride"
    if spec.activation == "Relu":
        yield "chain with Relu"


def _qlinear_layer(chain: _Chain, spec: ConvSpec, x: _Codes, y: _Codes, number: int) -> None:
    graph = chain.graph
    w = graph.array(f"w{number}", w_array(spec))
    pair = graph.constant_pair(w, spec.w_dtype, spec.w_scales, spec.w_zero_points)
    parameters = [
        x.pair.scale,
        x.pair.zero,
        w,
        pair.scale,
        pair.zero,
        y.pair.scale,
        y.pair.zero,
    ]
    b = b_array(spec)
    bias = [] if b is None else [graph.array(f"b{number}", b)]
    inputs = [x.name, *parameters, *bias]
    graph.node("QLinearConv", f"c{number}", inputs, y.name, conv_attributes(spec))


def _qdq_layer(
    chain: _Chain, spec: ConvSpec, x: _Codes, y: _Codes, number: int, residual: _Codes | None
) -> None:
    graph = chain.graph
    w = graph.array(f"w{number}", w_array(spec))
    pair = graph.constant_pair(w, spec.w_dtype, spec.w_scales, spec.w_zero_points)
    real_w = graph.dequantize(f"d_{w}", w, pair, f"{w}_r")
    inputs = [chain.real(x, f"c{number}"), real_w]
    b = b_array(spec)
    if b is not None:
        name = graph.array(f"b{number}", b)
        pair = graph.constant_pair(name, "int32", product_scales(spec), (0,))
        inputs.append(graph.dequantize(f"d_{name}", name, pair, f"{name}_r"))
    real = graph.node("Conv", f"c{number}", inputs, f"{y.name}_c", conv_attributes(spec))
    if residual:
        other = chain.real(residual, f"s{number}")
        real = graph.node("Add", f"s{number}", [real, other], f"{y.name}_s")
    if spec.activation == "Relu":
        real = graph.node("Relu", f"a{number}", [real], f"{y.name}_a")
    graph.quantize(f"q{number}", real, y.pair, y.name)


def _residual(chain: _Chain, last: _Codes, source: _Codes, *, relu: bool) -> _Codes:
    """``last + source``, added as reals, then quantized."""
    choices, graph = chain.choices, chain.graph
    scale = qparams.float32(max(last.scale, source.scale) * choices.pick((2.0, 1.0)))
    zero_point = qparams.zero_point(choices, chain.dtype)
    pair = graph.pair("s", chain.dtype, scale, zero_point)
    inputs = [chain.real(last, "s"), chain.real(source, "s")]
    real = graph.node("Add", "s1", inputs, "s_r")
    if relu:
        real = graph.node("Relu", "a0", [real], "s_a")
    graph.quantize("q0", real, pair, "s")
    return _Codes("s", pair, scale, zero_point, last.shape)
