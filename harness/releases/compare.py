"""What changed between the releases of one engine that a campaign ran: its bugs, its answers.

It reads what the campaign left (verdicts, findings) and replays each finding of one release in
the others: that a campaign did not meet a bug in a release does not mean that it has not got it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from corpus.changes import ORDER, BugSeen, Compared
from corpus.history import RIGHT, SAME, UNAVAILABLE, UNTRIED
from harness.backends.spec import BackendSpec, parse
from harness.bench import Bench
from harness.errors import BadInput
from harness.events import FindingSaved, ReleasesCompared
from harness.releases.bug import bug_words, read_bug, replayed
from harness.releases.packages import BY_BACKEND, parsed
from harness.releases.verdicts import answers, changed

Shown = Mapping[str, Mapping[str, str]]  # by finding and release, a word of corpus.history


@dataclass(frozen=True, slots=True)
class Line:
    """An engine with several releases on the bench: label and interpreter of each, oldest first."""

    name: str
    releases: tuple[tuple[str, str], ...]

    @property
    def engine(self) -> str:
        """The name of its package, where one is known."""
        return BY_BACKEND.get(self.name, self.name)


def lines(bench: Bench) -> tuple[Line, ...]:
    """Every engine that is on the bench in more than one interpreter."""
    found: dict[str, dict[str, str]] = {}
    for spec in bench.specs:
        found.setdefault(spec.name, {})[spec.python] = bench.describe(spec).version
    return tuple(Line(name, _labelled(each)) for name, each in found.items() if len(each) > 1)


def _labelled(versions: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Version and interpreter in order of version; as they were named where it is none."""
    pythons = list(versions)
    order = {python: parsed(version) for python, version in versions.items()}
    known = {python: version for python, version in order.items() if version is not None}
    if len(known) == len(pythons):
        pythons.sort(key=lambda python: known[python])
    said = list(versions.values())
    return tuple(
        (_label(python, versions[python], said.count(versions[python]) > 1), python)
        for python in pythons
    )


def _label(python: str, version: str, is_shared: bool) -> str:
    place = python or "this Python"
    return f"{version} ({place})" if version and is_shared else version or place


def compare(
    bench: Bench, findings: Sequence[FindingSaved], folder: Path, *, confirm: bool = True
) -> ReleasesCompared | None:
    """What changed between releases; None where there is but one of each engine.

    ``folder`` is the run's. Without ``confirm`` nothing is replayed, and a release in which a bug
    was not met is ``not tried``.
    """
    shown: dict[str, Mapping[str, str]] = {}
    compared: list[Compared] = []
    for line in lines(bench):
        own = [each for each in findings if _spec(each).name == line.name]
        words = {e.finding.id: bug_words(e.finding.signature, _spec(e)) for e in own}
        shown |= {each.finding.id: _shown(bench, line, each, folder, confirm) for each in own}
        compared += (
            _compared(bench, line, older, newer, words, shown, folder)
            for older, newer in pairwise(line.releases)
        )
    return ReleasesCompared(tuple(compared), shown) if compared else None


def _spec(saved: FindingSaved) -> BackendSpec:
    return parse(saved.finding.backend.name)


def _shown(
    bench: Bench, line: Line, saved: FindingSaved, folder: Path, confirm: bool
) -> dict[str, str]:
    """What each release makes of the smallest case of a finding."""
    own = _spec(saved)
    shown = dict.fromkeys((label for label, _ in line.releases), UNTRIED)
    for label, python in line.releases:
        if python == own.python:
            shown[label] = SAME
        elif confirm:
            there = replace(own, python=python)
            shown[label] = _replayed(bench, there, folder / saved.folder)
    return shown


def _replayed(bench: Bench, spec: BackendSpec, folder: Path) -> str:
    try:
        return replayed(bench, spec, read_bug(folder), "").word
    except BadInput:  # an option that this release lacks
        return UNAVAILABLE


def _compared(
    bench: Bench,
    line: Line,
    older: tuple[str, str],
    newer: tuple[str, str],
    words: Mapping[str, str],
    shown: Shown,
    folder: Path,
) -> Compared:
    pairs = list(_pairs(bench, line.name, older[1], newer[1]))
    counted = answers(folder / "run.sqlite", pairs)
    return Compared(
        engine=line.engine,
        older=older[0],
        newer=newer[0],
        bugs=bugs_seen(words, shown, older[0], newer[0]),
        answers=sum(each.answers for each in counted),
        changed=changed(counted),
    )


def _pairs(bench: Bench, name: str, older: str, newer: str) -> Iterator[tuple[str, str]]:
    """The same variant in both releases."""
    for spec in bench.specs:
        other = replace(spec, python=newer)
        if (spec.name, spec.python) == (name, older) and other in bench.specs:
            yield spec.text, other.text


def bugs_seen(
    words: Mapping[str, str], shown: Shown, older: str, newer: str
) -> tuple[BugSeen, ...]:
    """The bugs of two releases: ``words`` is the bug of each finding, ``shown`` who shows it.

    A bug is in a release if any of its findings shows there; those of other releases that neither
    shows are left out.
    """
    by_bug: dict[str, list[str]] = {}
    for name, each in words.items():
        by_bug.setdefault(each, []).append(name)
    seen = (
        BugSeen(
            bug,
            tuple(names),
            _worst(shown[name][older] for name in names),
            _worst(shown[name][newer] for name in names),
        )
        for bug, names in by_bug.items()
    )
    found = [each for each in seen if SAME in (each.before, each.after)]
    return tuple(sorted(found, key=lambda each: ORDER.index(each.change)))


def _worst(words: Iterable[str]) -> str:
    """The bug if any shows it, else the first that is not right, else right."""
    said = list(words)
    if SAME in said:
        return SAME
    return next((each for each in said if each != RIGHT), RIGHT)
