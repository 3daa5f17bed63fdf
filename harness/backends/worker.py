"""The worker: ``PYTHON worker.py`` runs one adapter and answers requests on its first two pipes.

It keeps private copies of the pipes and sends all that native code prints to stderr. It ends when its
stdin closes. Crashing, hanging and exiting are allowed here: the parent sees and reports it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import importlib
import os
import resource
import signal
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from harness.backends.protocol import Adapter, Array

    Answer = tuple[dict[str, Any], list[tuple[str, Array]]]  # header and arrays of a reply

FOLDER = Path(__file__).resolve().parent
ANSWERED = 200  # exit status of a child that has; an engine may end it with 0
M_PERTURB = -6  # of mallopt, malloc.h
SMALL = range(16, 1040, 16)  # sizes of blocks that each thread keeps for itself, malloc.c
KEPT = 7  # of each
PATIENCE = 3  # a hung worker whose parent was killed ends itself after this many time limits


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
    from harness.backends import protocol

    adapter, forks = None, False
    for header, arrays in _messages(requests):
        if header["kind"] == "hello":
            forks = header["forks"]
            adapter, reply = _hello(header)
            _send(replies, protocol.encode(reply))
        elif adapter is not None:
            for answer in _answers(adapter, header, arrays):
                if forks:
                    _in_child(replies, adapter, answer, header["fill"])
                else:
                    _send(replies, protocol.encode(*answer()))


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


def _messages(requests: BinaryIO) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    from harness.backends import protocol

    while True:
        prefix = requests.read(protocol.PREFIX.size)
        if len(prefix) < protocol.PREFIX.size:
            return
        header_size, body_size = protocol.sizes(prefix)
        text, body = requests.read(header_size), bytearray(requests.read(body_size))
        if len(body) < body_size:
            return
        yield protocol.decode(text, body)


def _send(replies: int, message: bytes) -> None:
    view = memoryview(message)
    while view:
        view = view[os.write(replies, view) :]


def _hello(header: dict[str, Any]) -> tuple[Adapter | None, dict[str, Any]]:
    from harness.backends import protocol

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


def _in_child(replies: int, adapter: Adapter, answer: Callable[[], Answer], fill: int) -> None:
    """Answer in a forked child, whose memory is lost with it, and end as it does if it crashes.

    This process never runs a case, so that each child finds the engine as it is when just imported.
    """
    from harness.backends import protocol

    gc.freeze()  # a child that collects need not copy what it has in common with this process
    child = os.fork()
    if child == 0:
        if fill:
            with contextlib.suppress(AttributeError):  # not glibc
                _fill_memory(fill)
        message = protocol.encode(*answer())
        vars(adapter).clear()
        gc.collect()  # memory that a case damaged shows when it is given back
        _send(replies, message)
        os._exit(ANSWERED)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        with contextlib.suppress(OSError):  # nobody may change what SIGKILL does
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    elif os.WEXITSTATUS(status) != ANSWERED:
        os._exit(os.WEXITSTATUS(status))


def _fill_memory(fill: int) -> None:
    """Have glibc fill the memory it hands out; the small blocks that it keeps at hand it leaves as they are."""
    libc = ctypes.CDLL(None)
    libc.mallopt(M_PERTURB, fill)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
    blocks = [(libc.malloc(size), size) for size in SMALL for _ in range(KEPT)]
    for block, size in blocks:
        ctypes.memset(block, fill ^ 0xFF, size)
        libc.free(block)


def _answers(
    adapter: Adapter, header: dict[str, Any], arrays: list[tuple[str, Array]]
) -> Iterator[Callable[[], Answer]]:
    """For each case and each of its options, in order, what makes the reply."""
    ask = _tap if header["kind"] == "tap" else _run
    answered = header["answered"]  # so many options of the first case, before a restart
    for first, end in header["cases"]:
        model, inputs = arrays[first][1].tobytes(), arrays[first + 1 : end]
        for options in header["options"][answered:]:
            own = {name: array.copy() for name, array in inputs}  # an adapter may spoil them
            question = (ask, adapter, model, own, options)
            yield functools.partial(_timed, header["seconds"], *question)
        answered = 0


def _timed(seconds: float, *question: Any) -> Answer:
    """The answer; a worker whose parent was killed does not hang for ever."""
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)
    with contextlib.suppress(OSError):
        if os.lseek(2, 0, os.SEEK_END):
            os.ftruncate(2, 0)  # what was said of earlier cases is not about this one
    answer = _guarded(*question)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return answer


def _guarded(ask: Callable[..., Answer], *question: Any) -> Answer:
    from harness.backends.protocol import Limit

    try:
        return ask(*question)
    except Limit as limit:
        return {"kind": "refused", "message": first_line(str(limit)), "documented": True}, []
    except Exception as error:
        return {"kind": "refused", "message": one_line(error), "documented": False}, []


def _run(adapter: Adapter, *question: Any) -> Answer:
    return {"kind": "values"}, _named(adapter.run(*question))


def _tap(adapter: Adapter, *question: Any) -> Answer:
    from harness.backends.protocol import Limit

    tap = getattr(adapter, "tap", None)
    if tap is None:
        raise Limit("this backend has no taps")
    tapped = tap(*question)
    header = {key: tapped[key] for key in ("plan", "method", "confirmed")}
    return dict(header, kind="tapped"), _named(tapped["arrays"])


def _named(outputs: Mapping[str, Any]) -> list[tuple[str, Array]]:
    import numpy as np

    if not hasattr(outputs, "items"):
        raise TypeError(f"run returned {type(outputs).__name__}, not a dict")
    named = [(str(name), np.asarray(value)) for name, value in outputs.items()]
    for name, array in named:
        is_of_ml_dtypes = array.dtype.isbuiltin == 2  # 4-bit integers, 8-bit floats
        if array.dtype.kind not in "biuf" and not is_of_ml_dtypes:
            raise TypeError(
                f"output {name} has dtype {array.dtype}, which holds no numbers here"
            )
    return named


def one_line(error: BaseException) -> str:
    """``Type: first line of the message``."""
    return f"{type(error).__name__}: {first_line(str(error))}".rstrip(": ")


def first_line(text: str) -> str:
    """The first line that says something, without surrounding blanks."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


if __name__ == "__main__":
    main()
