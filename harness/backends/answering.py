"""What a worker does with a request: every question to the adapter gets an answer."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.backends import protocol
from harness.backends.protocol import Limit

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from harness.backends.outbox import Outbox
    from harness.backends.protocol import Adapter, Array

    Question = tuple[int, tuple[Any, ...]]  # number of the answer, what `answer` makes it of
    Answer = tuple[dict[str, Any], list[tuple[str, Array]]]  # header and arrays

PATIENCE = 3  # a hung worker whose parent was killed ends itself after this many time limits


def answer_all(
    outbox: Outbox, at: mmap.mmap, header: dict[str, Any], questions: Iterable[Question]
) -> None:
    """Answer one after the other, and send what has gathered."""
    outbox.send()  # nothing, but its time starts
    set_alarm(header["seconds"])
    for number, question in questions:
        at[:] = protocol.NUMBER.pack(number)
        outbox.put(*answer(*question))
        if header["at_once"] or outbox.is_due():
            set_alarm(0)
            outbox.send()
            set_alarm(header["seconds"])
    set_alarm(0)
    outbox.send()


def set_alarm(seconds: float) -> None:
    """A worker whose parent was killed does not hang for ever; 0 while it waits for one that was stopped."""
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)


def questions(
    adapter: Adapter, header: dict[str, Any], arrays: list[tuple[str, Array]]
) -> Iterator[Question]:
    """The number of each answer that is asked for and what `answer` makes it of: case by case, option by option."""
    ask = _tap if header["kind"] == "tap" else _run
    all_options = header["options"]
    number, stop = header["numbers"]
    for case, (first, end) in enumerate(header["cases"], header["first"]):
        model, inputs = arrays[first][1].tobytes(), arrays[first + 1 : end]
        next_case = (case + 1) * len(all_options)
        while number < min(next_case, stop):
            own = {name: array.copy() for name, array in inputs}  # an adapter may spoil them
            yield number, (ask, adapter, model, own, all_options[number % len(all_options)])
            number += 1


def answer(ask: Callable[..., Answer], *question: Any) -> Answer:
    """What it says; an exception is a refusal."""
    _forget_stderr()
    try:
        return ask(*question)
    except Exception as error:
        return _refused(error), []


def _forget_stderr() -> None:
    """What was said of earlier cases is not about this one."""
    try:
        if os.lseek(2, 0, os.SEEK_END):
            os.ftruncate(2, 0)
    except OSError:  # an engine closed it
        return


def _refused(error: Exception) -> dict[str, Any]:
    documented = isinstance(error, Limit)
    message = first_line(str(error)) if documented else one_line(error)
    return {"kind": "refused", "message": message, "documented": documented}


def _run(adapter: Adapter, *question: Any) -> Answer:
    return {"kind": "values"}, _named(adapter.run(*question))


def _tap(adapter: Adapter, *question: Any) -> Answer:
    tap = getattr(adapter, "tap", None)
    if tap is None:
        raise Limit("this backend has no taps")
    tapped = tap(*question)
    header = {key: tapped[key] for key in ("plan", "method", "confirmed")}
    return dict(header, kind="tapped"), _named(tapped["arrays"])


def _named(outputs: Mapping[str, Any]) -> list[tuple[str, Array]]:
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
