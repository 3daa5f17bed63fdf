"""The bugs that a campaign has findings for, and when enough is known of a place."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from harness.campaign.journal import Journal, Past
from harness.campaign.suspicions import Knowledge, Place
from harness.events import FindingSeen
from harness.same import Bug
from harness.signature import Signature
from harness.suspect import Suspect

UNEXPLAINED_LIMIT = 6  # findings without a diagnosis for one operation of one backend


@dataclass(slots=True)
class _Met:
    """A bug with a finding: how often it was met, and how often the log says."""

    bug: Bug
    seen: int
    reported: int


class KnownBugs:
    """Everything a campaign knows of bugs; ``journal`` is told every change."""

    def __init__(self, past: Past, journal: Journal) -> None:
        self._journal = journal
        self._met = {
            bug.signature.id: _Met(
                bug, past.seen[bug.signature.id], past.reported[bug.signature.id]
            )
            for bug in past.bugs
        }
        self._became = dict(past.became)
        self._unexplained = Counter(past.unexplained)

    def knowledge(self) -> Knowledge:
        """All of it, for whoever judges next."""
        ids = {larger: name for larger, name in self._became.items() if name in self._met}
        closed = (p for p, times in self._unexplained.items() if times >= UNEXPLAINED_LIMIT)
        return Knowledge(
            bugs=tuple(each.bug for each in self._met.values()),
            ids=ids | {name: name for name in self._met},
            closed=frozenset(closed),
        )

    def finding_of(self, signature: Signature) -> str:
        """The id of the finding that a suspect with this signature belongs to, or empty."""
        name = self._became.get(signature.id, signature.id)
        return name if name in self._met else ""

    def is_wanted(self, place: Place) -> bool:
        """Whether one more bug without a diagnosis is looked into at a place; it is counted."""
        self._unexplained[place] += 1
        self._journal.unexplained(place)
        return self._unexplained[place] <= UNEXPLAINED_LIMIT

    def finding_like(self, suspect: Suspect) -> str:
        """The id of the finding of the same bug, or empty.

        Where several faults explain a suspect, and that of a finding is one of them, it is that bug.
        """
        if name := self.finding_of(suspect.signature):
            return name
        backend, kind = suspect.signature.backend, suspect.signature.kind
        faults = {each.fault for each in suspect.matches}
        alike = (
            name
            for name, met in self._met.items()
            if (met.bug.signature.backend, met.bug.signature.kind) == (backend, kind)
            and any(each.fault in faults for each in met.bug.matches[:1])
        )
        return next(alike, "")

    def became(self, larger: Signature, name: str) -> None:
        """A bug was shrunk, and is from now on known by the finding of its smaller self."""
        self._became[larger.id] = name
        self._journal.became(larger.id, name)

    def found(self, bug: Bug) -> None:
        """A bug has its finding."""
        self._met[bug.signature.id] = _Met(bug, seen=1, reported=1)
        self._journal.found(bug)

    def saw(self, name: str) -> None:
        """A finding was met again."""
        self._met[name].seen += 1
        self._journal.seen(name)

    def saw_elsewhere(self, name: str, times: int) -> None:
        """A finding was met so often by whoever judged; the journal knows from the judged task."""
        self._met[name].seen += times

    def reported(self, name: str) -> int:
        """How often the log says that a finding was met."""
        return self._met[name].reported

    def sightings(self) -> Iterator[FindingSeen]:
        """What the log does not say yet."""
        for name, each in self._met.items():
            if each.seen != each.reported:
                each.reported = each.seen
                yield FindingSeen(id=name, seen=each.seen)
