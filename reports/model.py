"""The report: everything a log says about a campaign, as one frozen value that writers render."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

from corpus.changes import Compared
from corpus.finding import Engine
from harness.events import (
    BackendSkipped,
    BadLog,
    BatchJudged,
    CampaignFinished,
    CampaignInterrupted,
    CampaignResumed,
    CampaignStarted,
    Counts,
    Event,
    FindingSaved,
    FindingSeen,
    LookedInto,
    ReleasesCompared,
    read,
)

LOG_NAME = "events.ndjson"


@dataclass(frozen=True, slots=True)
class Report:
    """A campaign so far: its header, totals, and findings in the order they were first saved.

    ``state`` is ``running``, ``finished`` or ``interrupted``; a log that ends while ``running`` is
    that of a killed process. ``signal`` is what interrupted it, if known. ``cells`` are the
    coverage cells reached; ``unasked`` counts the cases that a hanging backend was spared.
    ``seconds`` counts all sessions of a resumed campaign,
    ``earlier_seconds`` those before the current one. ``phase`` is what a campaign does besides
    judging: ``reducing ort Gemm``. ``silent`` and ``parted`` are the totals of `BatchJudged`.
    ``fusions`` counts for each backend the cases, of those looked into, that took a fusion.
    ``unsettled`` counts outcomes that nobody had the time to look into.
    ``failures`` are faults of quantdiff itself that the campaign went on after, with tracebacks.
    """

    started: CampaignStarted
    cases: int = 0
    comparisons: int = 0
    seconds: float = 0.0
    earlier_seconds: float = 0.0
    counts: Mapping[str, Counts] = field(default_factory=dict)
    skipped: tuple[BackendSkipped, ...] = ()
    findings: tuple[FindingSaved, ...] = ()
    cells: frozenset[str] = frozenset()
    compared: tuple[Compared, ...] = ()
    state: str = "running"
    signal: str = ""
    phase: str = ""
    silent: int = 0
    parted: int = 0
    failures: tuple[str, ...] = ()
    fusions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unasked: Mapping[str, int] = field(default_factory=dict)
    unsettled: int = 0

    @property
    def cases_per_second(self) -> float:
        """Cases judged a second, 0 before the first."""
        return self.cases / self.seconds if self.seconds else 0.0

    @property
    def backends(self) -> tuple[tuple[Engine, Counts], ...]:
        """Each backend with its totals, in the order of the campaign."""
        named = self.started.backends
        return tuple((each, self.counts.get(each.name, Counts())) for each in named)

    def findings_of(self, backend: str) -> tuple[FindingSaved, ...]:
        """The findings of one backend."""
        return tuple(each for each in self.findings if each.finding.backend.name == backend)


def replay(source: Path | Iterable[Event]) -> Report:
    """The report of a log file, of a run folder (read where it lies now), or of events.

    Raises:
        BadLog: there is no log, it is damaged, or it does not begin with ``CampaignStarted``.
    """
    if not isinstance(source, Path):
        return _fold(iter(source), "the log")
    path = source / LOG_NAME if source.is_dir() else source
    if not path.is_file():
        raise BadLog(f"{path}: no such log; give the folder of a run (it holds {LOG_NAME})")
    report = _fold(read(path), str(path))
    return replace(report, started=replace(report.started, out=str(path.parent)))


def _fold(events: Iterable[Event], where: str) -> Report:
    stream = iter(events)
    first = next(stream, None)
    if not isinstance(first, CampaignStarted):
        raise BadLog(f"{where}: does not begin with CampaignStarted")
    return reduce(advance, stream, Report(first))


def advance(report: Report, event: Event) -> Report:
    """The report after one more event."""
    match event:
        case CampaignStarted():
            return Report(event)
        case CampaignResumed():
            return replace(report, earlier_seconds=report.seconds, state="running")
        case BackendSkipped():
            return replace(report, skipped=(*report.skipped, event))
        case BatchJudged():
            return _add_batch(report, event)
        case LookedInto(backend, op, step, failure):
            phase = f"{step} {backend} {op}"
            failures = (f"{phase}: {failure}",) if failure else ()
            return replace(report, phase=phase, failures=report.failures + failures)
        case FindingSaved():
            findings = _with_finding(report.findings, event)
            return replace(report, findings=findings, phase="")
        case FindingSeen():
            return replace(report, findings=_with_seen(report.findings, event))
        case ReleasesCompared(compared, findings):
            told = _with_releases(report.findings, findings)
            return replace(report, compared=compared, findings=told)
        case CampaignFinished(seconds, unsettled):
            return replace(_ended(report, seconds, "finished"), unsettled=unsettled)
        case CampaignInterrupted(seconds, signal):
            return replace(_ended(report, seconds, "interrupted"), signal=signal)


def _ended(report: Report, seconds: float, state: str) -> Report:
    return replace(report, seconds=report.earlier_seconds + seconds, state=state, phase="")


def _add_batch(report: Report, batch: BatchJudged) -> Report:
    counts = dict(report.counts)
    for name, each in batch.counts.items():
        counts[name] = counts.get(name, Counts()) + each
    return replace(
        report,
        cases=report.cases + batch.cases,
        comparisons=report.comparisons + batch.comparisons,
        seconds=report.earlier_seconds + batch.seconds,
        counts=counts,
        cells=report.cells.union(batch.cells),
        unasked=Counter(report.unasked) + Counter(batch.unasked),
        silent=report.silent + batch.silent,
        parted=report.parted + batch.parted,
        fusions=_sum(report.fusions, batch.fusions),
        phase="",
    )


def _sum(
    totals: Mapping[str, Mapping[str, int]], more: Mapping[str, Mapping[str, int]]
) -> dict[str, Mapping[str, int]]:
    return {
        name: dict(Counter(totals.get(name, {})) + Counter(more.get(name, {})))
        for name in {**totals, **more}
    }


def _with_finding(
    findings: tuple[FindingSaved, ...], event: FindingSaved
) -> tuple[FindingSaved, ...]:
    """The finding appended, or put in the place of its older self."""
    if all(each.finding.id != event.finding.id for each in findings):
        return (*findings, event)
    return tuple(event if each.finding.id == event.finding.id else each for each in findings)


def _with_seen(
    findings: tuple[FindingSaved, ...], event: FindingSeen
) -> tuple[FindingSaved, ...]:
    return tuple(
        replace(each, finding=replace(each.finding, seen=event.seen))
        if each.finding.id == event.id
        else each
        for each in findings
    )


def _with_releases(
    findings: tuple[FindingSaved, ...], releases: Mapping[str, Mapping[str, str]]
) -> tuple[FindingSaved, ...]:
    return tuple(
        replace(each, finding=replace(each.finding, releases=releases[each.finding.id]))
        if each.finding.id in releases
        else each
        for each in findings
    )
