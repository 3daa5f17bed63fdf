"""Backends that misbehave where an input holds a 13, some of them for the first time only.

``folder`` is where they remember, across their deaths, what they were asked.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes import Arrays, perfect, scribbles_on_its_pipe

FATAL = 13


def asked(folder: Path) -> list[int]:
    """The first number of every input that a backend was given, in order."""
    return [int(line) for line in (folder / "asked").read_text().split()]


def _times(inputs: Arrays, folder: str) -> int:
    first = int(np.ravel(next(iter(inputs.values())))[0])
    with Path(folder, "asked").open("a") as log:
        log.write(f"{first}\n")
    return asked(Path(folder)).count(first) if first == FATAL else 0


def crashes_once(model: Any, inputs: Arrays, folder: str) -> Arrays:
    if _times(inputs, folder) == 1:
        os.abort()
    return perfect(model, inputs)


def is_killed_once(model: Any, inputs: Arrays, folder: str) -> Arrays:
    if _times(inputs, folder) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return perfect(model, inputs)


def is_killed(model: Any, inputs: Arrays, folder: str) -> Arrays:
    if _times(inputs, folder):
        os.kill(os.getpid(), signal.SIGKILL)
    return perfect(model, inputs)


def hangs_once(model: Any, inputs: Arrays, folder: str) -> Arrays:
    if _times(inputs, folder) == 1:
        time.sleep(3600)
    return perfect(model, inputs)


def scribbles(model: Any, inputs: Arrays, folder: str) -> Arrays:
    if _times(inputs, folder):
        return scribbles_on_its_pipe(model, inputs)
    return perfect(model, inputs)


def is_slow(model: Any, inputs: Arrays, folder: str) -> Arrays:
    time.sleep(0.4)
    return perfect(model, inputs)
