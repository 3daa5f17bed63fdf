"""A Dask scheduler and its workers on loopback, as processes of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Dask:
    """Where the scheduler listens, and the processes."""

    address: str
    scheduler: "subprocess.Popen[bytes]"
    workers: "tuple[subprocess.Popen[bytes], ...]"


@contextmanager
def dask(folder: Path, workers: int) -> Iterator[Dask]:
    """A scheduler with so many workers of one thread each; all import Dask at the same time."""
    file, local = folder / "scheduler.json", ("--host", "127.0.0.1")
    started = [_start("scheduler", *local, "--port", "0", file=file)]
    try:
        for number in range(workers):  # who waits for the scheduler's file
            place = ("--local-directory", str(folder / str(number)))
            options = ("--nthreads", "1", "--no-nanny", *place)
            started.append(_start("worker", *local, *options, file=file))
        yield Dask(_address(file), started[0], tuple(started[1:]))
    finally:
        for each in reversed(started):
            each.kill()
            each.wait()


def _start(role: str, *arguments: str, file: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", f"distributed.cli.dask_{role}", "--no-dashboard"]
    return subprocess.Popen(
        [*command, "--scheduler-file", str(file), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _address(file: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            return str(json.loads(file.read_text())["address"])
        except (OSError, ValueError):
            time.sleep(0.05)
    raise AssertionError("the scheduler does not start")
