"""A campaign: draw, run, judge, and make a finding of every new bug. Yields events; prints nothing.

Cases are judged by `harness.campaign.judge`, here or by a crew of other processes. What makes
findings happens here, case by case in the order of their numbers: so the findings do not depend
on how many processes judge.
"""

import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from corpus.case import Case
from harness.backends.spec import parse
from harness.bench import Bench
from harness.campaign.announced import batch, started
from harness.campaign.crew import Crew, CrewLost, Feeder, alone
from harness.campaign.journal import Journal, NoJournal, Past, Pending
from harness.campaign.judge import JudgedTask
from harness.campaign.known import KnownBugs
from harness.campaign.laws import Laws, Rewrite, not_at_all
from harness.campaign.plan import Plan as Plan
from harness.campaign.supply import Supply
from harness.campaign.suspicions import (
    Suspicion,
    bug_of,
    how_flaky,
    looked_into,
    place_of,
    recognised,
)
from harness.campaign.versions import own_version as own_version
from harness.campaign.work import LawWanted
from harness.errors import BadInput
from harness.events import (
    CampaignFinished,
    CampaignInterrupted,
    CampaignResumed,
    Event,
    FindingSaved,
    LookedInto,
)
from harness.investigate import Dossier, investigate, shrink, tells_another
from harness.law.bug import may_have_law
from harness.partner_bugs import differs
from harness.same import Bug
from harness.suspect import TWO_RUNS, Suspect
from harness.verdicts import is_wrong

Keep = Callable[[Dossier], FindingSaved]
Where = tuple[int, str, int]  # number, backend, and how many of its suspects are then handled


@dataclass(slots=True)
class Campaign:
    """The life of one campaign, or of one session of it.

    ``keep`` stores a new finding and says in which folder; ``rewrite`` stores it there again, once
    more is known of it. ``journal`` is told what it takes to go on later from ``past``. Without a
    ``crew`` cases are judged here, and laws looked for. A crew does both beside the campaign; what
    it judged in time and nobody looked at before the time was over still gives its findings,
    without laws, for some overtime; then it is ``unsettled``, for a later session. A signal is to
    be held while ``guard`` is entered.
    """

    bench: Bench
    plan: Plan
    keep: Keep
    journal: Journal = field(default_factory=NoJournal)
    crew: Crew | None = None
    past: Past = field(default_factory=Past)
    guard: Callable[[], AbstractContextManager[object]] = nullcontext
    rewrite: Rewrite = not_at_all
    cells: set[str] = field(default_factory=set)
    is_hurried: bool = field(default=False, init=False)
    unsettled: int = field(default=0, init=False)
    supply: Supply = field(init=False)
    known: KnownBugs = field(init=False)
    feeder: Feeder | None = field(init=False)
    laws: Laws = field(init=False)

    def __post_init__(self) -> None:
        self.supply = Supply(self.plan, self.past.number, self.past.seconds)
        self.known = KnownBugs(self.past, self.journal)
        self.cells |= self.past.cells
        self.supply.known = self.known.knowledge()
        self.feeder = Feeder(self.crew, self.supply) if self.crew else None
        self.laws = Laws(self.feeder, self.known, self.journal, self.rewrite, self.guard)

    def events(self) -> Generator[Event]:
        """Everything that happens, in order; an interrupt ends it with its own event.

        Raises:
            KeyboardInterrupt: after that event.
            CrewLost: after that event, too.
        """
        yield CampaignResumed() if self.past.resumed else started(self.bench, self.plan)
        try:
            with self.feeder or nullcontext():
                yield from self._session()
        except (KeyboardInterrupt, CrewLost) as interrupt:
            yield from self.known.sightings()
            yield CampaignInterrupted(seconds=self.supply.elapsed, signal=str(interrupt))
            raise
        yield CampaignFinished(seconds=self.supply.elapsed, unsettled=self.unsettled)

    def _session(self) -> Iterator[Event]:
        """What was left from before, then everything that is judged, then laws."""
        yield from self.laws.taken_up(self.bench, self.plan, self.past.lawless)
        for pending in self.past.pending:
            yield from self._take_up(pending)
        self.laws.owe()
        yield from self.known.sightings()
        for judged in self._judged():
            self.is_hurried = self.crew is not None and self._is_extra(judged)
            yield from self._settle(judged)
        yield from self.laws.rest(self.supply)

    def _judged(self) -> Iterator[JudgedTask]:
        return self.feeder.judged() if self.feeder else alone(self.bench, self.supply)

    def _is_extra(self, judged: JudgedTask) -> bool:
        """Whether the time was over before anybody looked at these cases."""
        return self.supply.is_late and judged.numbers.start > 0

    def _settle(self, judged: JudgedTask) -> Iterator[Event]:
        for row in judged.rows:
            if row.failure:
                yield LookedInto("quantdiff", f"case {row.number}", "judging", row.failure)
        with self.guard():
            self.journal.judged(judged)
            for name, times in judged.seen.items():
                self.known.saw_elsewhere(name, times)
            yield batch(judged, self.supply.elapsed, self.cells)  # the log lacks nothing of it
        for suspicion in judged.suspicions:
            yield from self.laws.arrived()
            if self.supply.is_spent:
                row = judged.rows[suspicion.number - judged.numbers.start]
                self.unsettled += row.words[suspicion.spec.text] not in ("exact", "tie")
                continue
            case = self.plan.case(suspicion.number)
            yield from self._look_into(suspicion, case)
        yield from self.laws.arrived()
        yield from self.known.sightings()

    def _take_up(self, pending: Pending) -> Iterator[Event]:
        """Look into what an earlier session had no time for."""
        spec, case = parse(pending.backend), self.plan.case(pending.number)
        outcome = self.bench.run(case, spec)
        flaky = pending.flaky
        if not flaky and pending.word not in ("exact", "tie"):
            gone = not is_wrong(case, outcome) and not differs(self.bench, spec, case, outcome)
            flaky = TWO_RUNS if gone else how_flaky(self.bench, spec, case, outcome)
        suspicion = Suspicion(pending.number, spec, outcome, 0, flaky)
        yield from self._look_into(suspicion, case, pending.handled)

    def _look_into(
        self, suspicion: Suspicion, case: Case, handled: int = 0
    ) -> Iterator[Event]:
        """Make findings of what is new; the first ``handled`` suspects were dealt with before."""
        number, backend = suspicion.number, suspicion.spec.text
        bug = None if handled else self._recognised(suspicion, case)
        if bug is not None:
            with self.guard():
                self.known.saw(bug.signature.id)
                self.journal.settled(number, backend)
            return
        if suspicion.suspects is None:
            try:
                suspicion = looked_into(self.bench, case, suspicion, self.supply.known)
            except (BadInput, OSError):
                raise  # no matter of the case
            except Exception:
                yield LookedInto(backend, f"case {number}", "judging", traceback.format_exc())
        for place, each in enumerate(suspicion.suspects or (), 1):
            if place > handled:
                yield from self._deal_with(each, (number, backend, place))
        with self.guard():
            self.journal.settled(number, backend)

    def _recognised(self, suspicion: Suspicion, case: Case) -> Bug | None:
        """A bug that was found after the suspicion arose."""
        later = self.supply.known.bugs[suspicion.tried :]
        outcome = suspicion.outcome
        return (
            None
            if suspicion.flaky
            else recognised(self.bench, later, suspicion.spec, case, outcome)
        )

    def _deal_with(self, suspect: Suspect | str, where: Where) -> Iterator[Event]:
        name = (
            suspect if isinstance(suspect, str) else self.known.finding_of(suspect.signature)
        )
        if name:
            self._meet(name, where)
        elif isinstance(suspect, Suspect) and (suspect.matches or self._is_wanted(suspect)):
            yield from self._investigate(suspect, where)

    def _meet(self, name: str, where: Where) -> None:
        with self.guard():
            self.known.saw(name)
            self.journal.handled(*where)

    def _is_wanted(self, suspect: Suspect) -> bool:
        with self.guard():
            wanted = self.known.is_wanted(place_of(suspect.signature))
            self.supply.known = self.known.knowledge()
        return wanted

    def _investigate(self, suspect: Suspect, where: Where) -> Iterator[Event]:
        backend, op = suspect.spec.text, suspect.signature.op
        yield LookedInto(backend, op, "reducing")
        try:
            small = shrink(self.bench, suspect)
        except KeyboardInterrupt:
            yield from self._save(suspect, where)
            raise
        except Exception:  # a fault of ours must not cost the hours of a campaign
            yield LookedInto(backend, op, "reducing", failure=traceback.format_exc())
            yield from self._save(suspect, where)
            return
        name = self.known.finding_like(small)
        with self.guard():
            if not tells_another(suspect, small):
                self.known.became(suspect.signature, name or small.signature.id)
            self.supply.known = self.known.knowledge()
        if name:
            self._meet(name, where)
            return
        yield LookedInto(backend, op, "explaining")
        try:
            law = self.crew is None  # else it comes later
            dossier = investigate(self.bench, small, seed=self.plan.seed, law=law)
        except KeyboardInterrupt:
            yield from self._save(small, where)
            raise
        except Exception:
            yield LookedInto(backend, op, "explaining", failure=traceback.format_exc())
            yield from self._save(small, where)
            return
        wants = not law and not self.is_hurried and may_have_law(small, dossier.case)
        yield from self._keep(small, dossier, where, wants_law=wants)

    def _save(self, suspect: Suspect, where: Where) -> Iterator[Event]:
        """Keep a bug in a hurry: without its law, and as large as it is."""
        try:
            dossier = investigate(self.bench, suspect, seed=self.plan.seed, law=False)
        except (BadInput, OSError):
            raise  # no matter of the finding: it is looked into again on --resume
        except Exception:
            yield self._without(suspect, where)
            return
        yield from self._keep(suspect, dossier, where)

    def _without(self, suspect: Suspect, where: Where) -> LookedInto:
        """The campaign goes on without a finding that cannot be kept, and says so."""
        with self.guard():
            self.journal.handled(*where)
        backend, op = suspect.spec.text, suspect.signature.op
        return LookedInto(backend, op, "keeping", failure=traceback.format_exc())

    def _keep(
        self, suspect: Suspect, dossier: Dossier, where: Where, *, wants_law: bool = False
    ) -> Iterator[Event]:
        with self.guard():
            try:
                saved = self.keep(dossier)
            except (BadInput, OSError):
                raise  # of the folder, not of the finding
            except Exception:
                yield self._without(suspect, where)
                return
            self.known.found(bug_of(suspect))
            self.journal.handled(*where)
            self.supply.known = self.known.knowledge()
            if wants_law:
                self.laws.want(saved, LawWanted(saved.finding.id, suspect, dossier.case))
            yield saved
