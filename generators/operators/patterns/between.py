"""Patterns of operators between Q and D that invite a rewrite: pools, activations, moves, defaults."""

from dataclasses import replace

import numpy as np

from generators import arrays, qparams, wire
from generators.arrays import LOWEST
from generators.operators.patterns.drawing import REACH, TYPICAL, Pattern

BOUNDS = ("beyond the codes", "within a step of the ends", "inside")
MOVES = ("Transpose", "Flatten", "Concat", "Split")


def pooled_conv(p: Pattern) -> None:
    """A pool of the reals of a convolution."""
    x = p.codes("x", p.parameters(), p.shape())
    made = p.conv(p.dequantize(x), x.parameters, x.shape, "n0")
    kernel = min(2, *made.shape[2:])
    op = p.choices.spread(("MaxPool", "AveragePool"))
    p.cells.add(f"{op} of a convolution")
    real = p.graph.node(
        op, "n1", [made.name], "n1_t", [wire.ints("kernel_shape", (kernel,) * 2)]
    )
    shape = (*made.shape[:2], *(each - kernel + 1 for each in made.shape[2:]))
    if p.choices.flag(3):
        p.leave_real(real, shape)
    else:
        p.leave(p.quantize("y", real, p.result(made.size, made.product), shape))


def clipped(p: Pattern) -> None:
    """A Clip or Relu with bounds near the ends of the codes, behind a D or before a Q."""
    before, after = p.parameters(), p.parameters()
    shape = p.shape(2)
    behind = p.choices.flag()
    real = p.dequantize(p.codes("x", before, shape)) if behind else p.reals("x", before, shape)
    ends = before if behind else after
    if p.choices.flag(4):
        p.cells.add("a Relu near the ends of the codes")
        real = p.graph.node("Relu", "n1", [real], "n1_t")
    else:
        real = p.graph.node(
            "Clip", "n1", [real, *_bounds(p, ends.scale, ends.dtype, ends.zero_point)], "n1_t"
        )
    p.cells.add(f"an activation {'behind a D' if behind else 'before a Q'}")
    if behind and p.choices.flag():
        p.leave_real(real, shape)
    else:
        p.leave(p.quantize("y", real, after, shape))


def _bounds(p: Pattern, scale: float, dtype: str, zero_point: int) -> list[str]:
    """Two bounds, so many steps inside of the lowest and highest real value."""
    kind = p.choices.spread(BOUNDS)
    p.cells.add(f"bounds {kind}")
    inside = {
        "beyond the codes": (-1.0, 0.0, -3.5),
        "within a step of the ends": (0.25, 0.5, 0.75, 1.0),
        "inside": (4.0, 30.5),
    }[kind]
    low, high = LOWEST[dtype] - zero_point, LOWEST[dtype] + 255 - zero_point
    ends = (low + p.choices.pick(inside), high - p.choices.pick(inside))
    return [
        p.graph.array(name, np.array(each * scale, np.float32))
        for name, each in zip(("lo", "hi"), ends, strict=True)
    ]


def moved(p: Pattern) -> None:
    """Codes that move as reals, their zero point often left to its default."""
    one = p.parameters()
    if p.choices.flag():
        one = replace(one, zero_point=0)
    x = p.codes("x", one, p.shape(p.choices.pick((2, 3))))
    real, shape = _dequantized(p, x.name, x.pair.scale, x.pair.zero, one.zero_point), x.shape
    op = p.choices.spread(MOVES if shape[0] > 1 else MOVES[:-1])
    p.cells.add(f"{op} of codes as reals")
    if op == "Split":
        _split(p, real, shape)
        return
    if op == "Concat":
        other = p.codes("z", p.related(one)[0], shape)
        inputs = [real, p.dequantize(other)]
        real = p.graph.node("Concat", "n1", inputs, "n1_t", [wire.integer("axis", 0)])
        shape = (2 * shape[0], *shape[1:])
    elif op == "Flatten":
        real = p.graph.node("Flatten", "n1", [real], "n1_t", [wire.integer("axis", 1)])
        shape = (shape[0], int(np.prod(shape[1:])))
    else:
        real = p.graph.node("Transpose", "n1", [real], "n1_t")
        shape = shape[::-1]
    if p.choices.flag():
        p.leave_real(real, shape)
    else:
        p.leave(p.quantize("y", real, p.related(one)[1], shape))


def joined(p: Pattern) -> None:
    """A Concat of reals, some of them computed, that is quantized."""
    one, other = p.related(p.parameters())
    shape = p.shape(2)
    real = p.graph.node("Relu", "n0", [p.reals("x", one, shape)], "n0_t")
    second = p.dequantize(p.codes("z", other, shape))
    if p.choices.flag():
        second = p.graph.node("Neg", "n2", [second], "n2_t")
    axis = p.choices.pick((0, 1))
    real = p.graph.node("Concat", "n1", [real, second], "n1_t", [wire.integer("axis", axis)])
    joined_shape = (2 * shape[0], shape[1]) if axis == 0 else (shape[0], 2 * shape[1])
    p.leave(p.quantize("y", real, p.choices.pick((one, p.parameters())), joined_shape))


def _dequantized(p: Pattern, codes: str, scale: str, zero: str, zero_point: int) -> str:
    """A D; where the zero point is 0 it may be left out, whatever the type."""
    names = (
        [codes, scale, zero]
        if zero and not (zero_point == 0 and p.choices.flag())
        else [codes, scale]
    )
    if len(names) == 2:
        p.cells.add("a D without zero point")
    return p.graph.node("DequantizeLinear", f"d_{codes}", names, f"{codes}_r")


def _split(p: Pattern, real: str, shape: tuple[int, ...]) -> None:
    parts = (1, shape[0] - 1)
    sizes = p.graph.array("n", np.array(parts, np.int64))
    p.graph.foreign("Split", "n1", [real, sizes], ("n1_t", "n1_u"), [wire.integer("axis", 0)])
    for name, count in zip(("n1_t", "n1_u"), parts, strict=True):
        part = (count, *shape[1:])
        if p.choices.flag():
            p.leave_real(name, part)
        else:
            p.leave(p.quantize(f"{name}_q", name, p.parameters(), part), may_be_real=False)


def default_axis(p: Pattern) -> None:
    """A product or convolution with scales whose DequantizeLinear leaves the axis out."""
    if p.choices.flag(3):
        _input_channels(p)
        return
    depth, columns = p.shape(2)
    x = p.codes("x", p.parameters(), (p.choices.pick((1, 3)), depth))
    scale = qparams.input_scale(p.choices, p.style)
    scales = qparams.per_channel(p.choices, p.style, scale, columns)
    given = arrays.codes("random", p.choices.integer(0, 65535), (depth, columns), "int8", 0)
    w = p.graph.array("w", given)
    inputs = [w, p.graph.array("ws", np.array(scales, np.float32))]
    real = p.graph.node("DequantizeLinear", "d_w", inputs, "w_r")
    real = p.graph.node("MatMul", "n1", [p.dequantize(x), real], "n1_t")
    wanted = p.result(TYPICAL * TYPICAL * depth**0.5, x.parameters.scale * scale)
    p.leave(p.quantize("y", real, wanted, (x.shape[0], columns)))


def _input_channels(p: Pattern) -> None:
    """A convolution of as many outputs as inputs, with scales along the inputs."""
    x = p.codes("x", p.parameters(), p.shape(most=4))
    channels = x.shape[1]
    scale = qparams.input_scale(p.choices, p.style)
    scales = qparams.per_channel(p.choices, p.style, scale, channels)
    given = arrays.codes(
        "random", p.choices.integer(0, 65535), (channels, channels, 1, 1), "int8", 0
    )
    w = p.graph.array("w", given)
    inputs = [w, p.graph.array("ws", np.array(scales, np.float32))]
    real = p.graph.node("DequantizeLinear", "d_w", inputs, "w_r")
    real = p.graph.node("Conv", "n1", [p.dequantize(x), real], "n1_t")
    wanted = p.result(TYPICAL * TYPICAL * channels**0.5, x.parameters.scale * scale)
    p.leave(p.quantize("y", real, wanted, x.shape))


def constant_operand(p: Pattern) -> None:
    """A sum with dequantized constant codes, whose zero point may be left out."""
    x = p.codes("x", p.parameters(), p.shape(2))
    one = p.parameters()
    one = replace(one, zero_point=p.choices.pick((0, one.zero_point)))
    given = arrays.codes("random", p.choices.integer(0, 65535), x.shape, one.dtype, 0)
    c = p.graph.array("c", given)
    pair = p.pair("c", one)
    real = _dequantized(p, c, pair.scale, pair.zero, one.zero_point)
    op = p.choices.pick(("Add", "Mul"))
    real = p.graph.node(op, "n1", [p.dequantize(x), real], "n1_t")
    if p.choices.flag():
        p.leave_real(real, x.shape)
    else:
        scales = (x.parameters.scale, one.scale)
        product = max(scales) if op == "Add" else scales[0] * scales[1]
        wanted = p.result(REACH if op == "Add" else TYPICAL * TYPICAL, product)
        p.leave(p.quantize("y", real, wanted, x.shape))


PATTERNS = {
    "a pool of reals": pooled_conv,
    "an activation": clipped,
    "a move of reals": moved,
    "a Concat of reals": joined,
    "an axis left out": default_axis,
    "a constant operand": constant_operand,
}
CELLS = (
    *(f"{op} of a convolution" for op in ("MaxPool", "AveragePool")),
    *(f"an activation {where}" for where in ("behind a D", "before a Q")),
    *(f"bounds {kind}" for kind in BOUNDS),
    "a Relu near the ends of the codes",
    *(f"{op} of codes as reals" for op in MOVES),
    "a D without zero point",
)
