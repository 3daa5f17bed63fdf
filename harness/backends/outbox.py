"""The answers of a worker on their way out."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from harness.backends import protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.backends.protocol import Array

GATHER_BYTES = 1 << 16  # a pipe takes more


class Outbox:
    """Answers that go out together: between two cases the engine has displaced what writing one needs.

    They are copies: an engine may hand out memory that it uses again.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._since = time.monotonic()
        self._headers: list[dict[str, Any]] = []
        self._bodies: list[bytes] = []
        self._size = 0

    def put(self, header: dict[str, Any], arrays: Iterable[tuple[str, Array]]) -> None:
        """Keep an answer.

        Raises:
            TypeError: an array holds Python objects.
        """
        described, body = protocol.pack(arrays)
        self._headers.append(dict(header, arrays=described))
        self._bodies.append(body)
        self._size += len(body)

    def is_due(self) -> bool:
        """Whether what is kept is much, or old."""
        return (
            self._size >= GATHER_BYTES
            or time.monotonic() - self._since >= protocol.GATHER_SECONDS
        )

    def send(self) -> None:
        """Write what is kept; the time starts anew."""
        if self._headers:
            write(self._pipe, protocol.frame(self._headers, self._bodies))
            self._headers, self._bodies, self._size = [], [], 0
        self._since = time.monotonic()


def write(pipe: int, message: bytes) -> None:
    """Write all of it."""
    view = memoryview(message)
    while view:
        view = view[os.write(pipe, view) :]
