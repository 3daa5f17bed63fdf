"""Codes of a given kind: tensors that provoke different mistakes, each from one seed.

Kinds: ``constant`` one code everywhere; ``one-hot`` one far code among zero points; ``random`` all
codes alike; ``small`` within two steps of the zero point, for small accumulators; ``coarse``
sixteens away from it, for accumulators that are multiples of a power of two and so meet exact ties;
``seven-bit`` the middle half of the codes, too small to saturate an int16 pair; ``extremes`` lowest
and highest codes mixed; ``all-extremes`` all lowest or all highest.
"""

from collections.abc import Sequence
from hashlib import shake_128
from math import prod

import numpy as np

from corpus.case import Array

KINDS = (
    *("constant", "one-hot", "random", "small", "coarse"),
    *("seven-bit", "extremes", "all-extremes"),
)
GRIDS = {"coarse": 16}  # what divides every ``code - zero_point``, where that is more than 1
OFFSETS = ("none", "half", "random")
LOWEST = {"uint8": 0, "int8": -128}
_UNIFORM_DEVIATION = 73.9  # of the codes 0..255


def noise(seed: int, size: int) -> bytes:
    """``size`` uniform bytes of a seed, the same on every machine; cheaper than seeding a generator."""
    return shake_128(b"%d" % seed).digest(size)


def codes(kind: str, seed: int, shape: Sequence[int], dtype: str, zero_point: int) -> Array:
    """Integer codes of a kind, ``shape``, ``uint8`` or ``int8``; the same seed gives the same bytes.

    Raises:
        ValueError: the kind is unknown.
    """
    size = prod(shape)
    values = np.frombuffer(_code_bytes(kind, seed, size, zero_point - LOWEST[dtype]), np.uint8)
    if dtype == "int8":
        values = (values ^ 128).view(np.int8)
    return values.reshape(shape)


def _code_bytes(kind: str, seed: int, size: int, zero_point: int) -> bytes:
    """The codes counted from the type's lowest one, so that one rule serves both types."""
    if kind == "random":
        return noise(seed, size)
    if kind == "constant":
        return bytes([_constant(seed, zero_point)]) * size
    if kind == "one-hot":
        position = seed % size if size else 0
        far = b"\0" if zero_point > 127 else b"\xff"
        return (bytes([zero_point]) * position + far + bytes([zero_point]) * size)[:size]
    if kind == "small":
        return noise(seed, size).translate(_small_codes(zero_point))
    if kind == "coarse":
        return noise(seed, size).translate(_COARSE[zero_point % 16])
    if kind == "seven-bit":
        return noise(seed, size).translate(_MIDDLE)
    if kind == "extremes":
        return noise(seed, size).translate(_ENDS)
    if kind == "all-extremes":
        return (b"\0" if seed % 2 else b"\xff") * size
    raise ValueError(f"unknown kind of data {kind!r}, expected one of {', '.join(KINDS)}")


def _small_codes(zero_point: int) -> bytes:
    near = [min(max(zero_point + step, 0), 255) for step in (0, 1, -1, 2, -2)]
    return bytes([near[code % 5] for code in range(256)])


_COARSE = tuple(bytes(16 * (code % 16) + rest for code in range(256)) for rest in range(16))
_MIDDLE = bytes(64 + code // 2 for code in range(256))
_ENDS = bytes(255 * (code % 2) for code in range(256))


def _constant(seed: int, zero_point: int) -> int:
    return (zero_point + 1 + seed) % 256 if zero_point < 255 else (254 - seed) % 256


def moments(kind: str, seed: int, dtype: str, zero_point: int) -> tuple[float, float]:
    """Mean and standard deviation of ``code - zero_point`` for data of a kind, in steps."""
    from_lowest = zero_point - LOWEST[dtype]
    if kind == "constant":
        return float(_constant(seed, from_lowest) - from_lowest), 0.0
    if kind == "one-hot":
        return 0.0, 128.0
    if kind == "small":
        return 0.0, 1.42
    if kind == "all-extremes":
        return float((0 if seed % 2 else 255) - from_lowest), 0.0
    deviation = {
        "random": 1.0,
        "coarse": 1.0,
        "seven-bit": 0.5,
        "extremes": 127.5 / _UNIFORM_DEVIATION,
    }[kind]
    return 127.5 - from_lowest, deviation * _UNIFORM_DEVIATION


def reals(code: Array, zero_point: int, scale: float, offset: str, seed: int) -> Array:
    """``(code - zero_point + offset) * scale``, float32, the shape of ``code``.

    ``offset`` is 0 (``none``), 0 or a half (``half``), or anything in [-0.5, 0.5) (``random``).
    """
    steps = code.astype(np.float32) - np.float32(zero_point)
    if offset != "none":
        random = np.frombuffer(noise(-1 - seed, code.size), np.uint8).reshape(code.shape)
        steps += (random & 1) * np.float32(0.5) if offset == "half" else _fraction(random)
    return np.asarray(steps * np.float32(scale))


def _fraction(random: Array) -> Array:
    fraction: Array = random * np.float32(1 / 256) - np.float32(0.5)
    return fraction
