"""How a backend's worker is started: by which interpreter, with what to import, and what it says."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from harness.backends import catalogue, protocol
from harness.backends.description import Description, described
from harness.backends.process import Process

ROOT = Path(__file__).resolve().parents[2]


class Lost(Exception):  # noqa: N818
    """The worker does not start: ``name`` of the backend, and the reason as text."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True, slots=True)
class Launch:
    """One backend in one interpreter; ``environment`` holds it to an instruction set.

    With ``forks`` a worker of a native engine runs every case in a child, which ends with it, and
    whose memory is filled as the batch says.
    """

    entry: catalogue.Entry
    python: str
    environment: Mapping[str, str]
    forks: bool

    @classmethod
    def of(cls, entry: catalogue.Entry, python: str, isa: str, *, forks: bool) -> Self:
        """That of a backend's spec.

        Raises:
            Lost: the interpreter cannot be run.
        """
        if entry.missing:
            raise Lost(entry.name, entry.missing)
        found = _interpreter(entry.name, python)
        return cls(entry, found, entry.isa.get(isa, {}), forks and entry.native)

    @property
    def is_foreign(self) -> bool:
        """Whether it runs in an environment of its own, with import paths of its own."""
        return self.python != sys.executable

    def start(self) -> Process:
        """A worker that has been greeted.

        Raises:
            Lost: the interpreter cannot be run.
        """
        try:
            process = Process(
                self.python, foreign=self.is_foreign, environment=self.environment
            )
        except OSError as error:
            raise Lost(self.entry.name, f"{self.python}: {error.strerror}") from error
        process.send(protocol.encode(self._hello(shares=process.shares)))
        return process

    def described(self, header: Mapping[str, Any]) -> Description:
        """What the worker said of itself when it was ready.

        Raises:
            Lost: the engine cannot be used, or its adapter does not say what it is.
        """
        name = self.entry.name
        if header["kind"] == "failed":
            raise Lost(name, f"{header['message']} ({self.entry.install})")
        try:
            return described(header["description"])
        except TypeError as error:
            raise Lost(name, f"its description is wrong: {error}") from error

    def _hello(self, *, shares: int) -> dict[str, Any]:
        is_ours = catalogue.is_ours(self.entry)
        return {
            "kind": "hello",
            "version": protocol.VERSION,
            "adapter": self.entry.target,
            "name": self.entry.name,
            "forks": self.forks,
            "at": shares,
            "path_first": [] if is_ours else [str(Path.cwd())],
            "path_last": self._path_last(is_ours=is_ours),
        }

    def _path_last(self, *, is_ours: bool) -> list[str]:
        """What can be imported here can be in the worker; a foreign one has paths of its own."""
        if self.is_foreign:
            return []
        return [str(ROOT)] if is_ours else [str(ROOT), *sys.path]


def _interpreter(name: str, python: str) -> str:
    if not python:
        return sys.executable
    found = shutil.which(str(Path(python).expanduser()))
    if found is None:
        raise Lost(name, f"{python} is not a Python interpreter that can be run")
    return str(Path(found).absolute())
