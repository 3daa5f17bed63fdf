"""What a campaign writes down as it goes, and what it finds there when it goes on."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.campaign.judge import JudgedTask
from harness.campaign.suspicions import Place
from harness.events import FindingSaved
from harness.same import Bug


class Journal(Protocol):
    """Takes notes that are safe as soon as the campaign's next event is (see `store.Store`)."""

    def judged(self, judged: JudgedTask) -> None:
        """A task is done; its suspicions are pending."""

    def seen(self, name: str) -> None:
        """A finding was met again."""

    def became(self, larger: str, name: str) -> None:
        """The bug with the first signature's id was shrunk to one with the second's."""

    def unexplained(self, place: Place) -> None:
        """A bug without a diagnosis was looked into at a place."""

    def found(self, bug: Bug) -> None:
        """A bug has its finding."""

    def handled(self, number: int, backend: str, suspects: int) -> None:
        """So many suspects of a pending suspicion are dealt with."""

    def settled(self, number: int, backend: str) -> None:
        """A suspicion is pending no longer."""

    def law_wanted(self, name: str) -> None:
        """A finding waits for its law."""

    def law_settled(self, name: str) -> None:
        """A finding waits for its law no longer."""


class NoJournal:
    """Forgets everything: for campaigns that are not to go on after their process ends."""

    def judged(self, judged: JudgedTask) -> None:
        """Nothing."""

    def seen(self, name: str) -> None:
        """Nothing."""

    def became(self, larger: str, name: str) -> None:
        """Nothing."""

    def unexplained(self, place: Place) -> None:
        """Nothing."""

    def found(self, bug: Bug) -> None:
        """Nothing."""

    def handled(self, number: int, backend: str, suspects: int) -> None:
        """Nothing."""

    def settled(self, number: int, backend: str) -> None:
        """Nothing."""

    def law_wanted(self, name: str) -> None:
        """Nothing."""

    def law_settled(self, name: str) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A suspicion that was not settled; ``word`` is the verdict that was written down."""

    number: int
    backend: str
    handled: int
    flaky: str
    word: str


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier sessions of a campaign left behind; nothing, for a campaign that begins.

    ``bugs`` are those with a finding, in the order they were found; ``seen`` says how often each
    was met and ``reported`` how often the log says. ``number`` is the first that is not judged;
    ``lawless`` are the findings that wait for their laws.
    """

    number: int = 0
    seconds: float = 0.0
    bugs: tuple[Bug, ...] = ()
    seen: Mapping[str, int] = field(default_factory=dict)
    reported: Mapping[str, int] = field(default_factory=dict)
    became: Mapping[str, str] = field(default_factory=dict)
    unexplained: Mapping[Place, int] = field(default_factory=Counter)
    cells: frozenset[str] = frozenset()
    pending: tuple[Pending, ...] = ()
    lawless: tuple[FindingSaved, ...] = ()
    resumed: bool = False
