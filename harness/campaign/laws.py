"""The laws of a campaign's findings: a crew looks for them, and they join the findings later.

A law changes nothing else: not what is a finding, nor its signature, nor how often it was seen.
"""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from corpus.store import load
from harness.bench import Bench
from harness.campaign.crew import Feeder
from harness.campaign.journal import Journal
from harness.campaign.known import KnownBugs
from harness.campaign.plan import Plan
from harness.campaign.supply import Supply
from harness.campaign.work import LawFound, LawWanted, explained
from harness.events import Event, FindingSaved, LookedInto
from harness.investigate import counts_of, suspect_of
from harness.law import Law
from harness.law.bug import NO_LAW

Rewrite = Callable[[FindingSaved], None]


def not_at_all(saved: FindingSaved) -> None:
    """For findings that have no folder."""


class Laws:
    """Findings that wait for their laws, by id; ``rewrite`` stores one that has got it.

    Without a ``feeder`` only those of earlier sessions do, and their laws are looked for here.
    """

    def __init__(
        self,
        feeder: Feeder | None,
        known: KnownBugs,
        journal: Journal,
        rewrite: Rewrite,
        guard: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._feeder, self._known, self._journal = feeder, known, journal
        self._rewrite, self._guard = rewrite, guard
        self._waiting: dict[str, FindingSaved] = {}
        self._owed: frozenset[str] = frozenset()

    def want(self, saved: FindingSaved, law: LawWanted) -> None:
        """Have the law of a finding that was just kept looked for."""
        assert self._feeder is not None
        self._journal.law_wanted(law.id)
        self._waiting[law.id] = saved
        self._feeder.want(law)

    def taken_up(
        self, bench: Bench, plan: Plan, lawless: Sequence[FindingSaved]
    ) -> Iterator[Event]:
        """Have those looked for that an earlier session did not come to."""
        for saved in lawless:
            name, finding = saved.finding.id, saved.finding
            self._waiting[name] = saved
            try:
                law = _wanted_again(bench, Path(plan.out), saved)
            except Exception:  # as with other faults of ours, the finding stays
                yield from self._settle(LawFound(name, failure=traceback.format_exc()))
                continue
            if law is None:
                yield from self._settle(LawFound(name))
            elif self._feeder is not None:
                self._feeder.want(law)
            else:
                yield LookedInto(finding.backend.name, finding.op, "explaining")
                yield from self._settle(explained(bench, plan, law))

    def owe(self) -> None:
        """Whatever is waited for now is waited for to the end, also where there is no time left."""
        self._owed = frozenset(self._waiting)

    def arrived(self) -> Iterator[Event]:
        """Findings whose laws have been found meanwhile."""
        for each in self._feeder.laws() if self._feeder else ():
            yield from self._settle(each)

    def rest(self, supply: Supply) -> Iterator[Event]:
        """All others too, until the overtime is over; what is missing then stays without law."""
        while self._feeder and (self._owed if supply.is_spent else self._waiting):
            for each in self._feeder.wait_for_laws():
                yield from self._settle(each)
        for name in self._waiting:
            self._journal.law_settled(name)

    def _settle(self, found: LawFound) -> Iterator[Event]:
        saved = self._waiting.pop(found.id)
        self._owed -= {found.id}
        finding = saved.finding
        with self._guard():
            self._journal.law_settled(found.id)
            if found.failure:
                backend = finding.backend.name
                yield LookedInto(backend, finding.op, "explaining", failure=found.failure)
            elif found.law != NO_LAW:
                better = _with_law(saved, found.law, self._known.reported(found.id))
                self._rewrite(better)
                yield better


def _wanted_again(bench: Bench, out: Path, saved: FindingSaved) -> LawWanted | None:
    """From the folder of a finding; nothing where the backend does not show it now."""
    case, _ = load(out / saved.folder)
    suspect = suspect_of(bench, saved.finding, case)
    return LawWanted(saved.finding.id, suspect, case) if suspect else None


def _with_law(saved: FindingSaved, law: Law, seen: int) -> FindingSaved:
    finding = replace(saved.finding, law=law.text, law_counts=counts_of(law), seen=seen)
    evidence = replace(saved.evidence, counterexamples=law.counterexamples)
    return replace(saved, finding=finding, evidence=evidence)
