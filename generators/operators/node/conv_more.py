"""The convolutions besides those of family conv.

ConvTranspose between D and Q, ConvInteger, and Conv with a scale for each input channel of its weights.
"""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from generators import qparams
from generators.arrays import noise
from generators.choices import Choices
from generators.operators.node.drawing import Draw, sum_reach
from generators.operators.node.spec import Attribute, NodeSpec, Operand, Tail, on_axis

FORMS = ("ConvTranspose", "ConvInteger", "Conv")
MOST_ELEMENTS = 400  # of input or output, in about
ALL_CELLS = (
    *(f"{form} {rank}-D" for form in FORMS for rank in (1, 2, 3)),
    *(
        f"{form} {what}"
        for form in FORMS
        for what in ("group", "strides", "dilations", "batch")
    ),
    *(f"{form} pads {kind}" for form in FORMS for kind in ("none", "symmetric", "asymmetric")),
    "ConvTranspose output_padding",
    "ConvTranspose per-channel",
    "ConvTranspose scales of inputs",
    "Conv as many outputs as inputs",
    "ConvTranspose bias",
    "ConvTranspose narrow bias",
    "ConvTranspose tail Relu",
)

Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the windows of one convolution go; ``pads`` are begins, then ends."""

    transposed: bool
    groups: int
    kernel: Sizes
    strides: Sizes
    dilations: Sizes
    pads: Sizes
    output_padding: Sizes

    def out(self, axis: int, size: int) -> int:
        """The output's size from the input's; of no window, below 1."""
        extent = self.dilations[axis] * (self.kernel[axis] - 1) + 1
        pads = self.pads[axis] + self.pads[axis + len(self.kernel)]
        if self.transposed:
            return self.strides[axis] * (size - 1) + self.output_padding[axis] + extent - pads
        return (size + pads - extent) // self.strides[axis] + 1

    @property
    def attributes(self) -> list[tuple[str, Attribute]]:
        """The kernel's shape, and what differs from the standard's defaults."""
        rank = len(self.kernel)
        given: tuple[tuple[str, Attribute, Attribute], ...] = (
            ("strides", self.strides, (1,) * rank),
            ("dilations", self.dilations, (1,) * rank),
            ("pads", self.pads, (0,) * (2 * rank)),
            ("output_padding", self.output_padding, (0,) * rank),
            ("group", self.groups, 1),
        )
        left = [(name, value) for name, value, default in given if value != default]
        return [("kernel_shape", self.kernel), *left]


def spec(choices: Choices, scales: str) -> tuple[NodeSpec, frozenset[str]]:
    """One convolution and the cells it belongs to."""
    draw = Draw.of(choices, scales)
    form = choices.spread((*FORMS, FORMS[0]))
    ins, outs = draw.size(9), draw.size(9)
    geometry = _geometry(draw, choices.pick((2, 2, 1, 3)), form)
    image = _image(draw, geometry, max(ins, outs))
    x = draw.codes("x", (choices.pick((1, 1, 2)), geometry.groups * ins, *image))
    make = {"ConvTranspose": _transpose, "ConvInteger": _integer, "Conv": _across}[form]
    found, more = make(draw, x, outs, geometry)
    return found, frozenset(_cells(form, x, geometry) | more)


def _geometry(draw: Draw, rank: int, form: str) -> Geometry:
    choices, transposed = draw.choices, form == "ConvTranspose"
    strides = _per_axis(draw, rank, (1, 2, 3) if transposed else (1, 1, 2))
    extra = tuple([choices.integer(0, each - 1) for each in strides])
    return Geometry(
        transposed,
        choices.pick((1, 1, 2, 3)),
        _per_axis(draw, rank, (1, 3, 2) if rank > 2 else (1, 3, 2, 4)),
        strides,
        _per_axis(draw, rank, (1, 1, 2)),
        _pads(draw, rank),
        extra if transposed and choices.flag() else (0,) * rank,
    )


def _per_axis(draw: Draw, rank: int, options: Sizes) -> Sizes:
    """One for all axes, or one each."""
    first = draw.choices.pick(options)
    if not draw.choices.flag():
        return (first,) * rank
    return (first, *[draw.choices.pick(options) for _ in range(rank - 1)])


def _pads(draw: Draw, rank: int) -> Sizes:
    """None, the same on both sides, or one for each."""
    kind = draw.choices.pick(("none", "symmetric", "asymmetric"))
    begins, ends = (tuple([draw.choices.integer(0, 2) for _ in range(rank)]) for _ in range(2))
    if kind == "none":
        return (0,) * (2 * rank)
    return (*begins, *(begins if kind == "symmetric" else ends))


def _image(draw: Draw, geometry: Geometry, lanes: int) -> Sizes:
    """Sizes of which some output is left, and not too much."""
    rank = len(geometry.kernel)
    spread = prod(geometry.strides) if geometry.transposed else 1
    most = max(1, int((MOST_ELEMENTS / (geometry.groups * lanes * spread)) ** (1 / rank)))
    image = []
    for axis in range(rank):
        size = draw.choices.integer(1, min(most, 8))
        while geometry.out(axis, size) < 1:
            size += 1
        image.append(size)
    return tuple(image)


def _cells(form: str, x: Operand, geometry: Geometry) -> set[str]:
    given = dict(geometry.attributes)
    rank = len(geometry.kernel)
    named = {"group", "strides", "dilations"} & given.keys()
    cells = {f"{form} {each}" for each in (f"{rank}-D", *named)}
    begins, ends = geometry.pads[:rank], geometry.pads[rank:]
    kind = "asymmetric" if begins != ends else "symmetric" if any(begins) else "none"
    cells.add(f"{form} pads {kind}")
    cells |= {"ConvTranspose output_padding"} if "output_padding" in given else set()
    return cells | ({f"{form} batch"} if x.shape[0] > 1 else set())


def _weights(draw: Draw, shape: Sizes) -> Operand:
    dtype = "int8" if draw.dtype == "int8" else draw.choices.pick(("int8", "uint8"))
    return replace(draw.codes("w", shape, dtype=dtype), constant=True)


def _shape(x: Operand, channels: int, geometry: Geometry) -> Sizes:
    return (x.shape[0], channels, *[geometry.out(i, n) for i, n in enumerate(x.shape[2:])])


def _integer(
    draw: Draw, x: Operand, outs: int, geometry: Geometry
) -> tuple[NodeSpec, set[str]]:
    """ConvInteger: the sums as they are."""
    channels = geometry.groups * outs
    w = _weights(draw, (channels, x.shape[1] // geometry.groups, *geometry.kernel))
    y = Operand("y", _shape(x, channels, geometry), "int32")
    found = draw.spec("Conv", (x, w), (y,), geometry.attributes, form="ConvInteger")
    return found, set()


def _across(
    draw: Draw, x: Operand, outs: int, geometry: Geometry
) -> tuple[NodeSpec, set[str]]:
    """Conv between D and Q, with scales along the axis of the weights that is summed over."""
    inner = x.shape[1] // geometry.groups
    square = not draw.choices.flag()  # then each output channel finds a scale, too
    if square:
        geometry, outs = replace(geometry, groups=1), x.shape[1]
        inner = outs
    channels = geometry.groups * outs
    w = _weights(draw, (channels, inner, *geometry.kernel))
    w = on_axis(w, 1, qparams.per_channel(draw.choices, draw.style, w.scales[0], inner))
    size = sum_reach(inner * prod(geometry.kernel), x, w)
    y = draw.result(_shape(x, channels, geometry), size, x.scales[0] * max(w.scales))
    made = draw.spec("Conv", (x, w), (y,), geometry.attributes)
    return made, {"Conv as many outputs as inputs"} if square else set()


def _transpose(
    draw: Draw, x: Operand, outs: int, geometry: Geometry
) -> tuple[NodeSpec, set[str]]:
    """ConvTranspose between D and Q: scales per channel, a bias, a Relu."""
    cells: set[str] = set()
    w = _weights(draw, (x.shape[1], outs, *geometry.kernel))
    if geometry.groups == 1 and draw.choices.flag(3):
        w = on_axis(w, 1, qparams.per_channel(draw.choices, draw.style, w.scales[0], outs))
        cells.add("ConvTranspose per-channel")
    elif geometry.groups == 1 and x.shape[1] == outs and draw.choices.flag():
        w = on_axis(w, 0, qparams.per_channel(draw.choices, draw.style, w.scales[0], outs))
        cells.add("ConvTranspose scales of inputs")
    size = sum_reach(w.shape[0] // geometry.groups * prod(geometry.kernel), x, w)
    operands = [x, w]
    if draw.choices.flag() and w.axis != 0:
        channels, narrow = geometry.groups * outs, draw.choices.flag(3)
        operands.append((_narrow_bias if narrow else _bias)(channels, x, w, size))
        cells.add("ConvTranspose narrow bias" if narrow else "ConvTranspose bias")
    tails = (Tail("Relu"),) if draw.choices.flag(4) else ()
    cells |= {"ConvTranspose tail Relu"} if tails else set()
    shape = _shape(x, geometry.groups * outs, geometry)
    y = draw.result(shape, size, x.scales[0] * max(w.scales))
    made = draw.spec("ConvTranspose", operands, (y,), geometry.attributes, tails=tails)
    return made, cells


def _bias(channels: int, x: Operand, w: Operand, size: float) -> Operand:
    """Int32 codes in steps of the scales' product."""
    unit = max(int(size) // 128, 1)
    codes = np.frombuffer(noise(w.seed, channels), np.int8).astype(np.int32) * unit
    row = np.array(w.scales, np.float32) * np.float32(x.scales[0])
    scales = tuple(row.tolist())
    bias = Operand("b", (channels,), "int32", scales[:1], (0,), constant=True, array=codes)
    return bias if w.axis is None else on_axis(bias, 0, scales)


def _narrow_bias(channels: int, x: Operand, w: Operand, size: float) -> Operand:
    """Codes of 8 bits, with a zero point, in steps of their own."""
    step = qparams.float32(x.scales[0] * max(w.scales) * max(size / 128, 1.0))
    dtype, zero = ("uint8", 100) if w.seed % 2 else ("int8", -30)
    codes = np.frombuffer(noise(w.seed, channels), dtype)
    return Operand("b", (channels,), dtype, (step,), (zero,), constant=True, array=codes)
