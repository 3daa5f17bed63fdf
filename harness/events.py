"""Events: what a campaign says, in the order it happened. Every report is replayed from them.

An event is a small frozen record named by a past participle; a consumer is a ``Handler``. The log
is one JSON document a line (``events.ndjson``), flushed after each, so a killed process loses at
most the line it was writing. Floats that JSON cannot hold are written as the strings ``NaN``,
``Infinity`` and ``-Infinity``.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from operator import methodcaller
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from corpus.changes import Compared
from corpus.counts import Counts as Counts  # who reads the log counts with it
from corpus.counts import count as count
from corpus.finding import Engine, Evidence, Finding

SCHEMA = 1
_item = methodcaller("item")  # a numpy scalar as Python's own


class BadLog(ValueError):  # noqa: N818 - reads as what it is: "bad log: ..."
    """A log that cannot be read; the message is one line: which file and line, and what is wrong."""


@dataclass(frozen=True, slots=True)
class CampaignStarted:
    """A campaign begins; ``cells`` are the names of the coverage cells that it could reach.

    ``named`` are the backends as given, ``timeout`` the seconds for one answer, ``memory`` the bytes
    for one worker: what it takes to go on with the campaign.
    """

    quantdiff: str
    seed: int
    family: str
    scales: str
    backends: tuple[Engine, ...]
    out: str
    planned_cases: int | None = None
    planned_seconds: float | None = None
    cells: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    timeout: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class CampaignResumed:
    """An earlier campaign of the same log goes on; seconds are counted from zero again."""


@dataclass(frozen=True, slots=True)
class BackendSkipped:
    """A backend that takes no part, and why: ``"cv2 is not installed"``."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class BatchJudged:
    """A batch is done: its own numbers, not totals, except ``seconds`` since the start.

    ``counts`` is by backend name; ``cells`` names the coverage cells the batch reached; ``unasked``
    says how many cases a backend was not asked, because it hung on others again and again.
    ``silent`` counts cases of which the standard says nothing, ``parted`` those of them on which
    backends differ; ``fusions`` the cases of a sample in which a backend took each.
    """

    cases: int
    comparisons: int
    seconds: float
    counts: Mapping[str, Counts] = field(default_factory=dict)
    cells: tuple[str, ...] = ()
    unasked: Mapping[str, int] = field(default_factory=dict)
    silent: int = 0
    parted: int = 0
    fusions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LookedInto:
    """A bug nobody knew is being looked into: ``step`` is ``reducing`` or ``explaining``.

    ``failure`` is the traceback where that failed by a fault of ours.
    """

    backend: str
    op: str
    step: str
    failure: str = ""


@dataclass(frozen=True, slots=True)
class FindingSaved:
    """A new finding, or better evidence for a known one; ``folder`` is relative to the run's."""

    finding: Finding
    evidence: Evidence
    folder: str


@dataclass(frozen=True, slots=True)
class FindingSeen:
    """A known finding again: ``seen`` is the number of cases that showed it so far."""

    id: str
    seen: int


@dataclass(frozen=True, slots=True)
class ReleasesCompared:
    """What changed between releases of one engine; ``findings`` tells by id what each makes of it."""

    compared: tuple[Compared, ...]
    findings: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class CampaignFinished:
    """The campaign did what was planned; ``unsettled`` outcomes wait for a later session."""

    seconds: float
    unsettled: int = 0


@dataclass(frozen=True, slots=True)
class CampaignInterrupted:
    """A person or a signal (``SIGTERM``) ended the campaign; everything found so far is saved."""

    seconds: float
    signal: str = ""


Event = (
    CampaignStarted
    | CampaignResumed
    | BackendSkipped
    | BatchJudged
    | LookedInto
    | FindingSaved
    | FindingSeen
    | ReleasesCompared
    | CampaignFinished
    | CampaignInterrupted
)


class Handler(Protocol):
    """A consumer of events: the log, the console."""

    def handle(self, event: Event) -> None:
        """Take one event; events come in order."""

    def close(self) -> None:
        """No more events come."""


def to_json(event: Event) -> str:
    """The event as one line of JSON, its class name under ``event``; no newline."""
    document = {"event": type(event).__name__, "schema": SCHEMA, **asdict(event)}
    try:
        return json.dumps(document, allow_nan=False, separators=(",", ":"), default=_item)
    except ValueError:
        return json.dumps(finite(document), separators=(",", ":"), default=_item)


def finite(value: Any) -> Any:
    """The same JSON document with NaN and infinities as strings, which ``float`` reads back."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value


def from_json(line: str) -> Event:
    """The inverse of ``to_json``; raises ``BadLog`` on anything else."""
    try:
        data = json.loads(line)
        name, schema = data.pop("event"), data.pop("schema")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadLog("not an event of quantdiff") from error
    if schema != SCHEMA or name not in _READERS:
        raise BadLog(f"event {str(name)[:40]!r} of schema {schema!r} needs another quantdiff")
    try:
        return _READERS[name](data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadLog(f"event {name} is damaged: {error}") from error


def _campaign_started(data: dict[str, Any]) -> CampaignStarted:
    backends = tuple(Engine(**each) for each in data["backends"])
    lists = {key: tuple(data.get(key, ())) for key in ("cells", "named")}
    return CampaignStarted(**{**data, **lists, "backends": backends})


def _batch_judged(data: dict[str, Any]) -> BatchJudged:
    counts = {name: Counts(**each) for name, each in data["counts"].items()}
    return BatchJudged(**{**data, "counts": counts, "cells": tuple(data["cells"])})


def _finding_saved(data: dict[str, Any]) -> FindingSaved:
    finding = Finding.from_dict(data["finding"])
    steps = replace(finding.steps, max=float(finding.steps.max))
    evidence = _with_floats(Evidence.from_dict(data["evidence"]))
    return FindingSaved(replace(finding, steps=steps), evidence, data["folder"])


def _releases_compared(data: dict[str, Any]) -> ReleasesCompared:
    compared = tuple(Compared.from_dict(each) for each in data["compared"])
    return ReleasesCompared(**{**data, "compared": compared})


def _with_floats(evidence: Evidence) -> Evidence:
    """The evidence with every value a float again, also where the log has a string for it."""
    return replace(
        evidence,
        tensors=tuple(
            replace(row, steps=replace(row.steps, max=float(row.steps.max)))
            for row in evidence.tensors
        ),
        heat=tuple(tuple(map(float, row)) for row in evidence.heat),
        expected=tuple(map(float, evidence.expected)),
        low=tuple(map(float, evidence.low)),
        high=tuple(map(float, evidence.high)),
        samples=tuple(
            replace(s, values=tuple(map(float, s.values))) for s in evidence.samples
        ),
    )


_READERS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "CampaignStarted": _campaign_started,
    "CampaignResumed": lambda data: CampaignResumed(**data),
    "BackendSkipped": lambda data: BackendSkipped(**data),
    "BatchJudged": _batch_judged,
    "LookedInto": lambda data: LookedInto(**data),
    "FindingSaved": _finding_saved,
    "FindingSeen": lambda data: FindingSeen(**data),
    "ReleasesCompared": _releases_compared,
    "CampaignFinished": lambda data: CampaignFinished(**data),
    "CampaignInterrupted": lambda data: CampaignInterrupted(**data),
}


def read(path: Path) -> Iterator[Event]:
    """The events of a log in order; an unfinished last line is left out, any other is ``BadLog``."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield from_json(line.decode())
            except (BadLog, UnicodeDecodeError) as error:
                raise BadLog(f"{path}, line {number}: {error}") from error


class LogWriter:
    """Appends events to a log, one flushed line each; an unfinished last line is cut off first."""

    def __init__(self, path: Path) -> None:
        cut_unfinished_line(path)
        self._file = path.open("a", encoding="utf-8", newline="\n")

    def handle(self, event: Event) -> None:
        """Append one line."""
        self._file.write(to_json(event) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "LogWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def cut_unfinished_line(path: Path) -> None:
    """Remove what a killed process wrote of its last event."""
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
