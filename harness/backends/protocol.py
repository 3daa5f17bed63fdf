"""What parent and worker say to each other, and what an adapter must offer.

A message is a prefix, a JSON header and the raw bytes of its arrays; nothing is pickled. This file
and every adapter run in any CPython from 3.8 on that has numpy, onnx and the engine under test.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

VERSION = 1
PREFIX = struct.Struct("<4sIQ")  # magic, bytes of header, bytes of body
MAGIC = b"QDW1"
ENCODER = json.JSONEncoder(separators=(",", ":"))
ALIGNMENT = 16  # what a fresh allocation would give: engines read the arrays in place


class Limit(Exception):  # noqa: N818 - a word of the domain
    """A documented limit: the backend says it cannot express this model, and why."""


class Garbage(Exception):  # noqa: N818
    """The bytes on the pipe are not a message."""


class Adapter(Protocol):
    """One engine behind two calls; see README.md for a walk through.

    Options are the ``k=v`` pairs of the backend's name, as text. Raise `Limit` for what the engine
    documents it cannot do; every other exception counts as a refusal that may be a bug.
    """

    def describe(self) -> dict[str, Any]:
        """Facts: name, version, profile, taps, switches, operators, versions, limits, options."""

    def run(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> Mapping[str, Array]:
        """Every graph output by name."""


class Tapping(Adapter, Protocol):
    """An adapter that can also look inside."""

    def tap(
        self, model: bytes, inputs: dict[str, Array], options: dict[str, str]
    ) -> dict[str, Any]:
        """The keys arrays, plan, method and confirmed, as `harness.outcome.Tapped` has them."""


def pack(arrays: Iterable[tuple[str, Array]]) -> tuple[list[Any], bytes]:
    """The arrays' names, dtypes and shapes, and the body of a message that carries them.

    Raises:
        TypeError: an array holds Python objects.
    """
    described: list[Any] = []
    parts: list[bytes] = []
    for name, array in arrays:
        data = array.tobytes()
        described.append((name, _dtype_name(name, array.dtype), array.shape))
        parts += data, bytes(-len(data) % ALIGNMENT)
    return described, b"".join(parts)


def frame(header: Mapping[str, Any], described: list[Any], body: bytes) -> bytes:
    """Bytes of one message around what `pack` returned."""
    text = ENCODER.encode(dict(header, arrays=described)).encode()
    return b"".join((PREFIX.pack(MAGIC, len(text), len(body)), text, body))


def encode(header: Mapping[str, Any], arrays: Iterable[tuple[str, Array]] = ()) -> bytes:
    """Bytes of one message.

    Raises:
        TypeError: an array holds Python objects.
    """
    return frame(header, *pack(arrays))


def sizes(prefix: bytes | bytearray | memoryview) -> tuple[int, int]:
    """Bytes of header and of body that follow a prefix.

    Raises:
        Garbage: this is not the start of a message.
    """
    magic, header, body = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise Garbage(f"not a message: {bytes(prefix[:16])!r}")
    return header, body


def decode(text: bytes, body: bytearray) -> tuple[dict[str, Any], list[tuple[str, Array]]]:
    """The header and the arrays of a message; the arrays are views into ``body``.

    Raises:
        Garbage: header or body do not fit together.
    """
    try:
        header = json.loads(text.decode())
        return header, list(_arrays(header.pop("arrays"), body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Garbage(f"not a message: {error}") from error


def _arrays(described: Iterable[Any], body: bytearray) -> Iterator[tuple[str, Array]]:
    start = 0
    for name, dtype_name, shape in described:
        dtype = _dtype(dtype_name)
        count = 1
        for length in shape:
            count *= length
        array = np.frombuffer(body, dtype, count, start) if count else np.empty(0, dtype)
        size = count * dtype.itemsize
        start += size + -size % ALIGNMENT
        yield name, array.reshape(shape)


def _dtype_name(name: str, dtype: np.dtype[Any]) -> str:
    if dtype.hasobject:
        raise TypeError(f"{name} has dtype object, which is not an array of numbers")
    is_of_ml_dtypes = dtype.isbuiltin == 2  # whose str names no type; some say they are floats
    return dtype.name if is_of_ml_dtypes else dtype.str


def _dtype(name: str) -> np.dtype[Any]:
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes  # bfloat16, float8, int4: numpy knows them once this is imported

        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return found
