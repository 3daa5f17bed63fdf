"""A worker that answers every question in a child of its own."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
from typing import TYPE_CHECKING, Any

from harness.backends import protocol
from harness.backends.answering import answer, set_alarm

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable
    from typing import NoReturn

    from harness.backends.answering import Question
    from harness.backends.outbox import Outbox

ANSWERED = 200  # exit status of a child that has; an engine may end it with 0
M_PERTURB = -6  # of mallopt, malloc.h
SMALL = range(16, 1040, 16)  # sizes of blocks that each thread keeps for itself, malloc.c
KEPT = 7  # of each


def answer_in_children(
    outbox: Outbox, at: mmap.mmap, header: dict[str, Any], questions: Iterable[Question]
) -> None:
    """Answer each in a forked child, whose memory is lost with it, and end as it does if it crashes.

    This process never runs a case, so that each child finds the engine as it is when just imported.
    """
    for number, question in questions:
        at[:] = protocol.NUMBER.pack(number)
        gc.freeze()  # a child that collects need not copy what it has in common with this process
        child = os.fork()
        if child == 0:
            set_alarm(header["seconds"])
            _be_child(outbox, header["fill"], question)
        _end_as(child)


def _be_child(outbox: Outbox, fill: int, question: tuple[Any, ...]) -> NoReturn:
    if fill:
        with contextlib.suppress(AttributeError):  # not glibc
            _fill_memory(fill)
    outbox.put(*answer(*question))
    _, adapter, *_ = question
    vars(adapter).clear()
    gc.collect()  # memory that a case damaged shows when it is given back
    set_alarm(0)
    outbox.send()
    os._exit(ANSWERED)


def _end_as(child: int) -> None:
    """Wait for it; end as it does, unless it has answered."""
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
