"""Values for the inputs of a part: codes of every kind, reals that are codes once they are quantized."""

from math import prod

import numpy as np
from onnx import helper

from corpus.case import Array
from generators import arrays
from generators.arrays import LOWEST, noise
from generators.choices import Choices
from generators.like.prepare import Shape
from generators.like.sizes import Part, Resized

_KINDS = ("random", "calm", *arrays.KINDS)


def values(model: Resized, part: Part, name: str, choices: Choices) -> Array:
    """Values of an input: codes of some kind; reals as codes that are dequantized, where it is quantized."""
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(part.types[name]))
    shape, seed, kind = model.shapes[name], choices.integer(0, 999), choices.pick(_KINDS)
    scale, zero = _reader(model, name)
    if dtype.name in LOWEST:
        return _codes(kind, seed, shape, dtype.name, zero)
    size = prod(shape)
    if dtype.kind == "f" and scale:
        codes = _codes(kind, seed, shape, "int8", 0)
        return arrays.reals(codes, 0, scale, choices.pick(arrays.OFFSETS), seed).astype(dtype)
    random = np.frombuffer(noise(seed, 2 * size), np.int16).reshape(shape)
    if dtype.kind == "f":
        return (random / 2.0**14).astype(dtype)
    if dtype.kind == "b":
        return random > 0
    if dtype.itemsize > 2 or dtype.kind not in "iu":
        return (random % 8 if dtype.kind in "iu" else random % 4).astype(dtype)
    return random.astype(dtype)


def _codes(kind: str, seed: int, shape: Shape, dtype: str, zero: int) -> Array:
    """Codes of ``arrays``, or ``calm`` ones: about the zero point, few near the ends."""
    if kind != "calm":
        return arrays.codes(kind, seed, shape, dtype, zero)
    random = np.frombuffer(noise(seed, 4 * prod(shape)), np.int8).reshape(4, -1)
    steps = random.astype(np.int64).sum(axis=0) // 6
    low = LOWEST[dtype]
    codes: Array = np.clip(zero + steps, low, low + 255).astype(dtype)
    return codes.reshape(shape)


def _reader(model: Resized, name: str) -> tuple[float, int]:
    """Scale and zero point with which an input is read; 0 where no node says them."""
    for node in model.model.graph.node:
        if len(node.input) > 1 and node.input[0] == name and "Linear" in node.op_type:
            scale = model.constants.get(node.input[1])
            zero = model.constants.get(node.input[2]) if len(node.input) > 2 else None
            if scale is not None and scale.size == 1:
                whole = np.zeros(1) if zero is None or zero.size > 1 else zero
                return float(scale.item()), int(whole.item())
    return 0.0, 0
