"""The worker: ``PYTHON worker.py`` runs one adapter and answers requests on its first two pipes.

It keeps private copies of the pipes and sends all that native code prints to stderr. It ends when its
stdin closes. Crashing, hanging and exiting are allowed here: the parent sees and reports it.
"""

from __future__ import annotations

import importlib
import mmap
import os
import resource
import signal
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from harness.backends.outbox import Outbox
    from harness.backends.protocol import Adapter, Array

    Request = tuple[dict[str, Any], list[tuple[str, Array]]]  # header and arrays

FOLDER = Path(__file__).resolve().parent


def main() -> None:
    """Serve requests until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # writing a core file would cost seconds
    # Our folder comes off the path: its file names must not shadow what an engine imports.
    sys.path[:] = [
        each for each in sys.path if each not in (str(FOLDER), str(Path(__file__).parent))
    ]
    requests, replies = _private_pipes()
    _mount()
    from harness.backends.outbox import Outbox

    messages = _messages(requests)
    for hello, _ in messages:
        _serve(Outbox(replies), hello, messages)


def _serve(outbox: Outbox, hello: dict[str, Any], messages: Iterable[Request]) -> None:
    """Be the backend that the first message names."""
    from harness.backends.answering import answer_all, questions
    from harness.backends.children import answer_in_children

    at = _shared(hello["at"])
    adapter, reply = _hello(hello)
    outbox.put(reply, [])
    outbox.send()
    if adapter is None:
        return
    answer = answer_in_children if hello["forks"] else answer_all
    for header, arrays in messages:
        answer(outbox, at, header, questions(adapter, header, arrays))


def _shared(descriptor: int) -> mmap.mmap:
    """Memory in which the parent reads what this process works on, also when it has ended."""
    from harness.backends import protocol

    shared = mmap.mmap(descriptor, protocol.NUMBER.size)
    os.close(descriptor)
    return shared


def _private_pipes() -> tuple[BinaryIO, int]:
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(requests, "rb", 1 << 16), replies


def _mount() -> None:
    """Make ``harness.backends`` importable without putting its root on ``sys.path``.

    In a foreign interpreter that root may be a site-packages folder of another Python.
    """
    for name, path in (("harness", FOLDER.parent), ("harness.backends", FOLDER)):
        package = types.ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules[name] = package
    sys.modules["harness"].backends = sys.modules["harness.backends"]  # type: ignore[attr-defined]


def _messages(requests: BinaryIO) -> Iterator[Request]:
    from harness.backends import protocol

    while True:
        prefix = requests.read(protocol.PREFIX.size)
        if len(prefix) < protocol.PREFIX.size:
            return
        header_size, body_size = protocol.sizes(prefix)
        text, body = requests.read(header_size), bytearray(requests.read(body_size))
        if len(body) < body_size:
            return
        yield from protocol.decode(text, body)


def _hello(header: dict[str, Any]) -> tuple[Adapter | None, dict[str, Any]]:
    from harness.backends import protocol
    from harness.backends.answering import one_line

    if header["version"] != protocol.VERSION:
        return None, _failed(f"the worker speaks protocol {protocol.VERSION}")
    sys.path[:0] = header["path_first"]
    sys.path += header["path_last"]
    try:
        adapter = _load(header["adapter"], header["name"])
        return adapter, {"kind": "hello", "description": adapter.describe()}
    except Exception as error:
        return None, _failed(one_line(error))


def _failed(message: str) -> dict[str, Any]:
    return {"kind": "failed", "message": message}


def _load(target: str, name: str) -> Adapter:
    module, attribute = target.split(":")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    if module.startswith("harness.backends."):
        adapter: Adapter = found(name)
        return adapter
    from harness.backends.function import adapter_of

    return adapter_of(found, target)


if __name__ == "__main__":
    main()
