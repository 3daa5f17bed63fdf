"""The element types of activations and weights: typical codes, zero points, values."""

from collections.abc import Mapping
from math import prod
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from generators import arrays, qparams, wire
from generators.arrays import LOWEST
from generators.choices import Choices
from generators.operators.patterns.drawing import Parameters

TYPICAL: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(("uint8", "int8", "float8_e4m3fn", "float8_e5m2"), 74.0),
        **dict.fromkeys(("uint16", "int16"), 18919.0),
        **dict.fromkeys(("uint4", "int4"), 4.6),
    }
)
"""The standard deviation of uniform codes."""
_BITS = MappingProxyType({"uint16": 16, "int16": 16, "uint4": 4, "int4": 4})


def fitted(scale: float, dtype: str) -> float:
    """A scale that fits 8-bit codes, for codes of another width: times a power of two."""
    return scale * 2.0 ** (8 - _BITS.get(dtype, 8))


def lowest(dtype: str) -> int:
    """The lowest code of an integer type."""
    return 0 if dtype.startswith("u") else -(1 << _BITS.get(dtype, 8) - 1)


def zero_point(choices: Choices, dtype: str) -> int:
    """A zero point, in the middle half the time; the codes of float types have none but 0.

    At the ends of the codes it would halve what each layer hands on.
    """
    if dtype in LOWEST:
        return LOWEST[dtype] + 128 if choices.flag() else qparams.zero_point(choices, dtype)
    if dtype not in _BITS:
        return 0
    middle = lowest(dtype) + (1 << _BITS[dtype] - 1)
    return choices.pick((middle, 0, middle + choices.integer(-2, 2)))


def codes_of(kind: str, seed: int, shape: tuple[int, ...], p: Parameters) -> Array:
    """Codes of any type; a kind (``generators.arrays``) makes a difference at 8 bits only."""
    if p.dtype in LOWEST:
        return arrays.codes(kind, seed, shape, p.dtype, p.zero_point)
    dtype = wire.code_dtype(p.dtype)
    if p.dtype not in _BITS:
        raw = np.frombuffer(arrays.noise(seed, prod(shape)), np.int8)
        return raw.astype(dtype).reshape(shape)
    raw = np.frombuffer(arrays.noise(seed, 2 * prod(shape)), np.uint16)
    moved = (raw >> 16 - _BITS[p.dtype]).astype(np.int32) + lowest(p.dtype)
    return moved.astype(dtype).reshape(shape)
