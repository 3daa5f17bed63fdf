"""Patterns of tensors with several readers, graph outputs among them, and of shared initializers."""

from dataclasses import replace

import numpy as np

from generators import arrays, wire
from generators.arrays import LOWEST
from generators.operators.patterns.drawing import REACH, TYPICAL, Codes, Convolved, Pattern

READERS = ("output", "Relu", "Neg", "QuantizeLinear")
PLACES = ("before Relu", "behind Relu", "alone")


def _read(p: Pattern, real: str, shape: tuple[int, ...]) -> None:
    """A second reader of reals: the graph's caller, an operator in float, or another Q."""
    reader = p.choices.spread(READERS)
    p.cells.add(f"a second reader: {reader}")
    if reader == "output":
        p.leave_real(real, shape)
    elif reader == "QuantizeLinear":
        p.leave(p.quantize("v", real, p.result(16.0, 1.0), shape), may_be_real=False)
    else:
        p.leave_real(p.graph.node(reader, "n2", [real], "v"), shape)


def shared_result(p: Pattern) -> None:
    """A convolution, activated or not, whose reals have another reader than its Q."""
    place = p.choices.spread(PLACES)
    p.cells.add(f"a second reader {place}")
    made = _operation(p)
    real, wanted = made.name, p.result(made.size, made.product)
    if place != "alone":
        activated = p.graph.node("Relu", "n1", [real], "n1_r")
        if p.choices.flag():
            wanted = replace(wanted, zero_point=LOWEST[wanted.dtype])
        if place == "behind Relu":
            real = activated
        p.leave(p.quantize("y", activated, wanted, made.shape))
    else:
        p.leave(p.quantize("y", real, wanted, made.shape))
    _read(p, real, made.shape)


def _operation(p: Pattern) -> Convolved:
    """A convolution, or a sum of two tensors."""
    x = p.codes("x", p.parameters(), p.shape())
    op = p.choices.spread(("Conv", "Add"))
    p.cells.add(f"{op} read twice")
    if op == "Conv":
        return p.conv(p.dequantize(x), x.parameters, x.shape, "n0")
    z = p.codes("z", p.parameters(), x.shape)
    made = p.graph.node("Add", "n0", [p.dequantize(x), p.dequantize(z)], "n0_t")
    return Convolved(made, x.shape, REACH, max(x.parameters.scale, z.parameters.scale))


def shared_dequantize(p: Pattern) -> None:
    """One DequantizeLinear for an operation and for somebody else."""
    x = p.codes("x", p.parameters(), p.shape())
    real = p.dequantize(x)
    op = p.choices.spread(("Conv", "QuantizeLinear", "MaxPool"))
    p.cells.add(f"{op} with a shared DequantizeLinear")
    if op == "Conv":
        made = p.conv(real, x.parameters, x.shape, "n0")
        wanted = p.result(made.size, made.product)
        p.leave(p.quantize("y", made.name, wanted, made.shape))
    elif op == "QuantizeLinear":
        p.leave(p.quantize("y", real, p.related(x.parameters)[1], x.shape))
    else:
        pooled = p.graph.node(
            "MaxPool", "n0", [real], "n0_t", [wire.ints("kernel_shape", (1, 1))]
        )
        p.leave(p.quantize("y", pooled, x.parameters, x.shape))
    _read(p, real, x.shape)


def shared_bias(p: Pattern) -> None:
    """Two convolutions whose bias is one initializer; scales agree, weights do not."""
    channels = p.choices.pick((2, 3, 4, 8))
    x = p.codes("x", p.parameters(), p.shape())
    scale = p.parameters().scale
    step = float(np.float32(x.parameters.scale) * np.float32(scale))
    given = arrays.codes("random", p.choices.integer(0, 65535), (channels,), "int8", 0)
    b = p.graph.array("b", given.astype(np.int32) * np.int32(16))
    pair = p.graph.constant_pair(b, "int32", (step,), (0,))
    one = p.choices.flag()
    p.cells.add(f"a shared bias with {'one' if one else 'two'} DequantizeLinear")
    real_b = p.graph.dequantize("d_b", b, pair, "b_r")
    for name in ("y", "v"):
        if name == "v" and not one:
            real_b = p.graph.dequantize("d_b2", b, pair, "b_r2")
        _convolution(p, x, name, scale, real_b, channels)


def _convolution(
    p: Pattern, x: Codes, name: str, scale: float, bias: str, channels: int
) -> None:
    codes = arrays.codes(
        "random", p.choices.integer(0, 65535), (channels, x.shape[1], 1, 1), "int8", 0
    )
    w = p.graph.array(f"w_{name}", codes)
    pair = p.graph.constant_pair(w, "int8", (scale,), (0,))
    inputs = [p.dequantize(x, name), p.graph.dequantize(f"d_{w}", w, pair, f"{w}_r"), bias]
    real = p.graph.node("Conv", f"n_{name}", inputs, f"{name}_t")
    shape = (x.shape[0], channels, *x.shape[2:])
    size = TYPICAL * TYPICAL * x.shape[1] ** 0.5
    wanted = p.result(size, x.parameters.scale * scale)
    p.leave(p.quantize(name, real, wanted, shape), may_be_real=False)


PATTERNS = {
    "a result read twice": shared_result,
    "a DequantizeLinear read twice": shared_dequantize,
    "an initializer read twice": shared_bias,
}
CELLS = (
    *(f"a second reader: {reader}" for reader in READERS),
    *(f"a second reader {place}" for place in PLACES),
    *(f"{op} read twice" for op in ("Conv", "Add")),
    *(f"{op} with a shared DequantizeLinear" for op in ("Conv", "QuantizeLinear", "MaxPool")),
    *(f"a shared bias with {count} DequantizeLinear" for count in ("one", "two")),
)
