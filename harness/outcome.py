"""Outcomes: what a backend made of a case. A failure of an engine is a value, not an exception."""

from collections.abc import Mapping
from dataclasses import dataclass

from corpus.case import Array


@dataclass(frozen=True, slots=True)
class Values:
    """The backend ran the case; one array for each graph output, by name."""

    arrays: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Refused:
    """The backend said no: it raised.

    ``documented`` is true where the backend's own declared limits cover the case (an operator,
    type or attribute it does not claim); only an undocumented refusal of a valid model is a bug.
    """

    message: str
    documented: bool


@dataclass(frozen=True, slots=True)
class Crashed:
    """The worker process ended: ``how`` is ``"signal SIGSEGV"`` or ``"exit 3"``."""

    how: str
    stderr: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No answer within ``seconds``; the worker was killed."""

    seconds: float


Outcome = Values | Refused | Crashed | TimedOut


@dataclass(frozen=True, slots=True)
class FusedOp:
    """One operation as the backend runs it.

    ``kind`` is the backend's name of it (``Conv2Int8``, ``QLinearConv``); ``nodes`` the ids of the
    source nodes it covers; ``inputs`` and ``outputs`` the source model's tensor names at its edges.
    """

    kind: str
    name: str
    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tapped:
    """Intermediate tensors of one run, seen without changing what is fused.

    ``arrays`` holds source tensors by their source names and codes. ``method`` is ``native`` (the
    engine hands them out), ``optimized graph`` or ``prefixes``; ``confirmed`` says that the final
    outputs of the tapped run are bit-equal to those of the untapped run.
    """

    arrays: Mapping[str, Array]
    plan: tuple[FusedOp, ...]
    method: str
    confirmed: bool


def is_same(first: Array, second: Array) -> Array:
    """Which elements are equal; what is no number is equal to what is none."""
    same: Array = (first == second) | ((first != first) & (second != second))
    return same
