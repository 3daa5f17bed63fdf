"""Scales for each block, or along an axis: int4 and int8, every axis, partial last blocks."""

from dataclasses import replace
from math import frexp, ldexp, prod

import numpy as np

from corpus.case import Array
from generators import qparams
from generators.arrays import noise
from generators.choices import Choices
from generators.operators.node.drawing import Draw
from generators.operators.node.spec import NodeSpec, Operand

OPSETS = (21, 23, 25, 22, 24, 26)
DTYPES = ("int4", "int8", "uint4", "uint8")
CODES = (*DTYPES, "int16", "uint16")
PRODUCTS = ("MatMul", "Gemm")
VECTOR = "blockwise one block of a vector"  # whose scale looks like one for the whole tensor
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")
ALL_CELLS = (
    *(
        f"blockwise {op} {dtype} axis {axis}"
        for op in PRODUCTS
        for dtype in DTYPES
        for axis in (0, 1)
    ),
    "blockwise partial last block",
    *(f"blockwise partial last block, axis {axis}" for axis in range(4)),
    *(f"blockwise {op} rank {rank}" for op in CONVERSIONS for rank in (1, 2, 3, 4)),
    *(f"blockwise {op} {dtype}" for op in CONVERSIONS for dtype in CODES),
    "blockwise negative axis",
    "blockwise one block",
    VECTOR,
    "blockwise zero points",
    "blockwise scales along an axis",
    "blockwise half steps",
)
_MIDDLE = {"int4": 0, "uint4": 8, "int8": 0, "uint8": 128, "int16": 0, "uint16": 32768}


def spec(choices: Choices, scales: str) -> tuple[NodeSpec, frozenset[str]]:
    """One product with blocked weights, or a blocked QuantizeLinear, and its cells."""
    draw = Draw.of(choices, scales, OPSETS)
    if choices.flag(3):
        return choices.spread((_quantize, _dequantize))(draw)
    op, dtype, axis = choices.spread(PRODUCTS), choices.spread(DTYPES), choices.pick((0, 1))
    depth, columns = draw.size(33) * choices.pick((1, 2)), draw.size()
    if choices.flag(4):
        columns = depth
    place = _along_axis if choices.flag(4) else _blocked
    w, cells = place(draw, "w", (depth, columns), dtype, axis)
    a = Operand("a", (draw.size(5), depth), "float32", seed=choices.integer(0, 65535))
    y = Operand("y", (a.shape[0], columns), "float32")
    found = replace(draw.spec(op, (a, replace(w, constant=True)), (y,)), y_float=False)
    return found, frozenset({f"blockwise {op} {dtype} axis {axis}", *cells})


def _blocked(
    draw: Draw, name: str, shape: tuple[int, ...], dtype: str, axis: int
) -> tuple[Operand, set[str]]:
    choices = draw.choices
    length = shape[axis]
    block = min(choices.pick((16, 4, 2, 3, 32, 1)), length)
    block = _legal(length, block)
    cells = set()
    blocks = -(-length // block)
    if length % block:
        cells |= {"blockwise partial last block", f"blockwise partial last block, axis {axis}"}
    if blocks == 1:
        cells.add("blockwise one block" if len(shape) > 1 else VECTOR)
    written = axis
    if choices.flag(3):
        written = axis - len(shape)
        cells.add("blockwise negative axis")
    zero = _MIDDLE[dtype]
    if choices.flag():
        zero += 1
        cells.add("blockwise zero points")
    count = blocks * prod(shape) // length
    scale = qparams.input_scale(choices, draw.style)
    return Operand(
        name,
        shape,
        dtype,
        qparams.per_channel(choices, draw.style, scale, count),
        tuple(zero if byte % 2 else _MIDDLE[dtype] for byte in noise(count, count)),
        axis=written,
        block_size=block,
        seed=choices.integer(0, 65535),
    ), cells


def _legal(length: int, block: int) -> int:
    """The block size nearest below that its number of blocks allows (ONNX QuantizeLinear-21)."""
    blocks = -(-length // block)
    return (
        block
        if blocks == 1 or block <= -(-length // (blocks - 1)) - 1
        else -(-length // blocks)
    )


def _along_axis(
    draw: Draw, name: str, shape: tuple[int, ...], dtype: str, axis: int
) -> tuple[Operand, set[str]]:
    """Scales and zero points along an axis, no blocks."""
    found, cells = _blocked(draw, name, shape, dtype, axis)
    count = shape[axis]
    scales = qparams.per_channel(draw.choices, draw.style, found.scales[0], count)
    zeros = tuple(found.zero_points[i % len(found.zero_points)] for i in range(count))
    cells &= {"blockwise negative axis", "blockwise zero points"}
    found = replace(found, block_size=0, scales=scales, zero_points=zeros)
    return found, cells | {"blockwise scales along an axis"}


def _quantize(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    """Codes from reals: an Identity in front of a QuantizeLinear with blocks, or along an axis."""
    choices, shape, axis = draw.choices, *_place(draw)
    dtype = choices.spread(CODES)
    place = _along_axis if choices.flag(3) else _blocked
    y, cells = place(draw, "y", shape, dtype, axis)
    x = Operand("x", shape, "float32", seed=choices.integer(0, 65535))
    if choices.flag():
        cells.add("blockwise half steps")
        y = replace(y, scales=tuple(map(_short, y.scales)))
        x = replace(x, array=_half_steps(y, x.seed))
    found = draw.spec("Identity", (x,), (y,))
    is_packed = dtype.endswith("int4")  # no engine hands out arrays of nibbles
    return replace(found, y_float=is_packed), _named("QuantizeLinear", y, cells)


def _dequantize(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    """Reals from codes: a DequantizeLinear with blocks, or along an axis, and an Identity."""
    choices, shape, axis = draw.choices, *_place(draw)
    dtype = choices.spread(CODES)
    place = _along_axis if choices.flag(3) else _blocked
    x, cells = place(draw, "x", shape, dtype, axis)
    is_packed = dtype.endswith("int4")
    x = replace(x, constant=is_packed or choices.flag())
    operands: tuple[Operand, ...] = (x,)
    op = "Identity"
    if x.constant:
        shift = Operand("a", shape[-1:], "float32", seed=choices.integer(0, 65535))
        operands, op = (shift, x), "Add"
    found = draw.spec(op, operands, (Operand("y", shape, "float32"),))
    found = replace(found, x_float=False, y_float=False)
    return found, _named("DequantizeLinear", x, cells)


def _place(draw: Draw) -> tuple[tuple[int, ...], int]:
    """A shape, and one of its axes; long ones are those of matrices."""
    rank = draw.choices.pick((2, 3, 1, 4, 2))
    shape = draw.shape(rank, 17 if rank < 3 else 5)
    return shape, draw.choices.integer(0, rank - 1)


def _named(op: str, codes: Operand, cells: set[str]) -> frozenset[str]:
    rank = f"blockwise {op} rank {len(codes.shape)}"
    return frozenset({rank, f"blockwise {op} {codes.dtype}", *cells})


def _short(scale: float) -> float:
    """The scale with five bits, so that its half steps are exact, and its reciprocal is not."""
    mantissa, exponent = frexp(scale)
    return ldexp(round(mantissa * 32), exponent - 5)


def _half_steps(y: Operand, seed: int) -> Array:
    """Reals at whole and half steps of their scales, exact with short scales."""
    size = prod(y.shape)
    fewer = 3 if y.dtype.endswith("int4") else 0
    steps = (np.frombuffer(noise(seed, size), np.uint8) >> fewer) - np.float32(128 >> fewer)
    scales = np.resize(np.array(y.scales, np.float32), y.parameters_shape)
    axis = (y.axis or 0) % len(y.shape)
    if y.block_size:
        scales = scales.repeat(y.block_size, axis)
        scales = scales.take(np.arange(y.shape[axis]), axis)
    else:
        scales = scales.reshape((-1,) + (1,) * (len(y.shape) - 1 - axis))
    reals: Array = (steps / 2).reshape(y.shape) * scales
    return reals
