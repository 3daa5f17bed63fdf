"""Patterns of Q and D alone: pairs in a row, several Q of one tensor, scales that move with an axis."""

import numpy as np

from generators import arrays, qparams, wire
from generators.arrays import LOWEST
from generators.operators.patterns.drawing import REACH, Pattern, axis_attribute


def pair(p: Pattern) -> None:
    """Codes, dequantized and quantized again with nearly the same parameters."""
    first, second = p.related(p.parameters())
    shape = p.shape(p.choices.pick((2, 4)))
    x = p.codes("x", first, shape)
    p.leave(p.quantize("y", p.dequantize(x), second, shape))


def double_pair(p: Pattern) -> None:
    """Reals through two pairs, or three."""
    first, second = p.related(p.parameters())
    shape = p.shape(2)
    codes = p.quantize("a", p.reals("x", first, shape), first, shape)
    codes = p.quantize("b", p.dequantize(codes), second, shape)
    if p.choices.flag(4):
        p.cells.add("three pairs")
        codes = p.quantize("c", p.dequantize(codes), first, shape)
    if p.choices.flag():
        p.leave_real(p.dequantize(codes), shape)
    else:
        p.leave(codes, may_be_real=False)


def two_quantizers(p: Pattern) -> None:
    """One tensor, made by an operation or given, quantized twice."""
    x = p.codes("x", p.parameters(), p.shape())
    op = p.choices.spread(("Conv", "Add", "Relu"))
    p.cells.add(f"two QuantizeLinear behind {op}")
    real, shape = p.dequantize(x), x.shape
    wanted = p.result(REACH, x.parameters.scale)
    if op == "Conv":
        made = p.conv(real, x.parameters, shape, "n1")
        real, shape, wanted = made.name, made.shape, p.result(made.size, made.product)
    elif op == "Add":
        other = p.codes("z", p.parameters(), shape)
        real = p.graph.node("Add", "n1", [real, p.dequantize(other)], "n1_t")
        wanted = p.result(REACH, max(x.parameters.scale, other.parameters.scale))
    else:
        real = p.graph.node("Relu", "n1", [real], "n1_t")
    first, second = p.related(wanted)
    for name, parameters in (("y", first), ("v", second)):
        p.leave(p.quantize(name, real, parameters, shape))


def moved_axis(p: Pattern) -> None:
    """Scales along an axis in front of a Transpose, or behind it."""
    shape = p.shape(p.choices.pick((2, 3, 4)))
    axis = p.choices.integer(0, len(shape) - 1)
    perm = tuple(sorted(range(len(shape)), key=lambda _: p.choices.integer(0, 99)))
    forward = p.choices.flag()
    p.cells.add(f"an axis of scales {'behind' if forward else 'in front of'} a Transpose")
    scale = qparams.input_scale(p.choices, p.style)
    one = p.parameters()
    attributes = [wire.ints("perm", perm)]
    turned = tuple(shape[i] for i in perm)
    if forward:
        scales = qparams.per_channel(p.choices, p.style, scale, turned[axis])
        real = p.graph.node("Relu", "n0", [p.reals("x", one, shape)], "x_a")
        real = p.graph.node("Transpose", "n1", [real], "n1_t", attributes)
        inputs = [real, *_along(p, "y", scales, one.dtype)]
        p.graph.node("QuantizeLinear", "q_y", inputs, "y", axis_attribute(axis))
        p.graph.output("y", one.dtype, turned)
        return
    scales = qparams.per_channel(p.choices, p.style, scale, shape[axis])
    given = arrays.codes("random", p.choices.integer(0, 65535), shape, one.dtype, 0)
    inputs = [p.graph.input("x", given), *_along(p, "x", scales, one.dtype)]
    real = p.graph.node("DequantizeLinear", "d_x", inputs, "x_r", axis_attribute(axis))
    real = p.graph.node("Transpose", "n1", [real], "n1_t", attributes)
    if p.choices.flag():
        p.leave_real(real, turned)
    else:
        p.leave(p.quantize("y", real, p.result(REACH, scale), turned), may_be_real=False)


def _along(p: Pattern, name: str, scales: tuple[float, ...], dtype: str) -> list[str]:
    """Scales and zero points along an axis; the latter differ now and then."""
    step = p.choices.pick((0, 1))
    zeros = LOWEST[dtype] + 100 + step * (np.arange(len(scales)) % 9)
    return [
        p.graph.array(f"{name}s", np.array(scales, np.float32)),
        p.graph.array(f"{name}z", zeros.astype(dtype)),
    ]


PATTERNS = {
    "one pair": pair,
    "two pairs": double_pair,
    "two QuantizeLinear": two_quantizers,
    "scales that move": moved_axis,
}
CELLS = (
    "three pairs",
    *(f"two QuantizeLinear behind {op}" for op in ("Conv", "Add", "Relu")),
    *(f"an axis of scales {where} a Transpose" for where in ("behind", "in front of")),
)
