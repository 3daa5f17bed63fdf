"""What changed between two releases of one engine, seen in one campaign that ran both."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from corpus.history import RIGHT, SAME

ALLOWED = frozenset({"exact", "tie"})
FAILED = {"refused": "refused", "crashed": "crashed", "timed-out": "timed out"}
EXAMPLES = 5

NEW, UNCLEAR, FIXED, BOTH = ORDER = ("new", "unclear", "fixed", "in both")
WITHIN = "another allowed value"


@dataclass(frozen=True, slots=True)
class Changed:
    """Answers whose verdict changed: how many, and the numbers of the first few cases."""

    before: str
    after: str
    answers: int
    cases: tuple[int, ...]

    @property
    def change(self) -> str:
        """``wrong before, right now``; ``another allowed value`` where both are right."""
        before, after = _class(self.before), _class(self.after)
        if before != after:
            return f"{before} before, {after} now"
        return WITHIN if before == "right" else "wrong in another way"

    @property
    def rank(self) -> int:
        """What a person wants to know first: what got worse, what got better, the rest."""
        before, after = _class(self.before), _class(self.after)
        if before == after:
            return 3
        return 0 if before == "right" else 1 if after == "right" else 2


@dataclass(frozen=True, slots=True)
class BugSeen:
    """One bug in two releases: its words, its findings, and what each makes of their cases."""

    signature: str
    findings: tuple[str, ...]
    before: str
    after: str

    @property
    def change(self) -> str:
        """``fixed``, ``new``, ``in both``; ``unclear`` where a release hides it in another way."""
        known = {(SAME, RIGHT): FIXED, (RIGHT, SAME): NEW, (SAME, SAME): BOTH}
        return known.get((self.before, self.after), UNCLEAR)


@dataclass(frozen=True, slots=True)
class Compared:
    """Two releases of ``engine``, the older first: their bugs, and the answers that changed."""

    engine: str
    older: str
    newer: str
    bugs: tuple[BugSeen, ...]
    answers: int
    changed: tuple[Changed, ...]

    def bugs_that_are(self, change: str) -> tuple[BugSeen, ...]:
        """Those with that change."""
        return tuple(each for each in self.bugs if each.change == change)

    def answers_by_change(self) -> dict[str, int]:
        """How many answers changed in which way; what got worse first."""
        counts: Counter[str] = Counter()
        for each in sorted(self.changed, key=lambda each: each.rank):
            counts[each.change] += each.answers
        return dict(counts)

    def cases_of(self, change: str) -> tuple[int, ...]:
        """The numbers of a few cases that changed in that way."""
        numbers = {n for each in self.changed if each.change == change for n in each.cases}
        return tuple(islice(sorted(numbers), EXAMPLES))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Compared":
        """The inverse of ``asdict``."""
        nested = {
            "bugs": tuple(
                BugSeen(**{**each, "findings": tuple(each["findings"])})
                for each in data["bugs"]
            ),
            "changed": tuple(
                Changed(**{**each, "cases": tuple(each["cases"])}) for each in data["changed"]
            ),
        }
        return cls(**{**data, **nested})


def _class(verdict: str) -> str:
    return "right" if verdict in ALLOWED else FAILED.get(verdict, "wrong")
