"""What parent and worker say to each other, and what an adapter must offer.

A message is a JSON header and the raw bytes of its arrays; nothing is pickled. A frame is a prefix and
several messages: the list of their headers, then the bytes of all their arrays. This file and every
adapter run in any CPython from 3.8 on that has numpy, onnx and the engine under test.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

VERSION = 2
PREFIX = struct.Struct("<4sIQ")  # magic, bytes of headers, bytes of body
MAGIC = b"QDW2"
ENCODER = json.JSONEncoder(separators=(",", ":"))
GATHER_SECONDS = 0.02  # answers may wait so long in a worker before they are sent
NUMBER = struct.Struct("<q")  # of the answer that a worker works on, in memory that it shares
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


def frame(headers: Sequence[Mapping[str, Any]], bodies: Iterable[bytes]) -> bytes:
    """Bytes of a frame around what `pack` returned for each message; ``arrays`` of a header describes its own."""
    text, body = ENCODER.encode(headers).encode(), b"".join(bodies)
    return b"".join((PREFIX.pack(MAGIC, len(text), len(body)), text, body))


def encode(header: Mapping[str, Any], arrays: Iterable[tuple[str, Array]] = ()) -> bytes:
    """Bytes of a frame of one message.

    Raises:
        TypeError: an array holds Python objects.
    """
    described, body = pack(arrays)
    return frame([dict(header, arrays=described)], [body])


def sizes(prefix: bytes | bytearray | memoryview) -> tuple[int, int]:
    """Bytes of headers and of body that follow a prefix.

    Raises:
        Garbage: this is not the start of a frame.
    """
    magic, headers, body = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise Garbage(f"not a message: {bytes(prefix[:16])!r}")
    return headers, body


def decode(
    text: bytes, body: bytearray
) -> list[tuple[dict[str, Any], list[tuple[str, Array]]]]:
    """Header and arrays of every message of a frame; the arrays are views into ``body``.

    Raises:
        Garbage: headers and body do not fit together.
    """
    try:
        return list(_messages(json.loads(text.decode()), body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Garbage(f"not a message: {error}") from error


def _messages(
    headers: Iterable[dict[str, Any]], body: bytearray
) -> Iterator[tuple[dict[str, Any], list[tuple[str, Array]]]]:
    start = 0
    for header in headers:
        arrays, start = _arrays(header.pop("arrays"), body, start)
        yield header, arrays


def _arrays(
    described: Iterable[Any], body: bytearray, start: int
) -> tuple[list[tuple[str, Array]], int]:
    arrays = []
    for name, dtype_name, shape in described:
        dtype = _dtype(dtype_name)
        count = 1
        for length in shape:
            count *= length
        array = np.frombuffer(body, dtype, count, start) if count else np.empty(0, dtype)
        size = count * dtype.itemsize
        start += size + -size % ALIGNMENT
        arrays.append((name, array.reshape(shape)))
    return arrays, start


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
