"""A campaign: draw, run, judge, and make a finding of every new bug. Yields events; prints nothing."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from corpus.case import Case
from generators.graphs import all_cells, draw_case
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.events import (
    BatchJudged,
    CampaignFinished,
    CampaignInterrupted,
    CampaignStarted,
    Event,
    FindingSaved,
    FindingSeen,
    count,
)
from harness.investigate import Dossier, investigate, shrink
from harness.outcome import Outcome, Values
from harness.same import shows_bug
from harness.suspect import Signature, Suspect, suspects, tested
from harness.verdicts import is_suspicious, judge_all

BATCH = 64
BATCH_SECONDS = 2.0  # of engines that are slow or hang, a batch holds fewer cases
UNEXPLAINED_LIMIT = 6  # findings without a diagnosis for one operation of one backend

Keep = Callable[[Dossier], FindingSaved]
Note = Callable[[int, Case, Mapping[str, str]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign is to do; it ends after ``cases`` or ``seconds``, whichever comes first."""

    seed: int
    family: str
    scales: str
    out: str
    cases: int | None = None
    seconds: float | None = None

    def case(self, number: int) -> Case:
        """The case of that number: it depends on the plan and the number alone."""
        return draw_case(self.family, self.scales, (self.seed << 32) + number)


@dataclass(slots=True)
class _Known:
    """A bug that already has its finding: the shrunk suspect, and how often it was met."""

    suspect: Suspect
    seen: int
    reported: int


@dataclass(slots=True)
class Campaign:
    """The life of one campaign.

    ``keep`` stores a new finding and says in which folder; ``note`` is told the verdicts of every
    case, by backend.
    """

    bench: Bench
    plan: Plan
    keep: Keep
    note: Note
    known: dict[str, _Known] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    unexplained: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    cells: set[str] = field(default_factory=set)
    batch_size: int = 1
    started: float = field(default_factory=time.monotonic)

    def events(self) -> Generator[Event]:
        """Everything that happens, in order; a KeyboardInterrupt ends it with its own event."""
        yield self._started()
        try:
            number = 0
            while numbers := self._next_batch(number):
                yield from self._batch(numbers)
                number = numbers.stop
        except KeyboardInterrupt as interrupt:
            yield from self._sightings()
            yield CampaignInterrupted(seconds=self._elapsed(), signal=str(interrupt))
            raise
        yield CampaignFinished(seconds=self._elapsed())

    def _started(self) -> CampaignStarted:
        plan = self.plan
        return CampaignStarted(
            quantdiff=own_version(),
            seed=plan.seed,
            family=plan.family,
            scales=plan.scales,
            backends=tuple(self.bench.engine(spec) for spec in self.bench.specs),
            out=plan.out,
            planned_cases=plan.cases,
            planned_seconds=plan.seconds,
            cells=tuple(all_cells(plan.family)),
        )

    def _elapsed(self) -> float:
        return time.monotonic() - self.started

    def _next_batch(self, number: int) -> range:
        """The numbers of the next cases; there is always a first."""
        late = self.plan.seconds is not None and self._elapsed() >= self.plan.seconds
        last = number + self.batch_size
        if self.plan.cases is not None:
            last = min(last, self.plan.cases)
        return range(number, number if late and number else last)

    def _run(self, cases: Sequence[Case]) -> list[dict[BackendSpec, Outcome]]:
        """All outcomes; how long they took decides how many cases are asked next."""
        start = time.monotonic()
        outcomes = self.bench.run_all(cases)
        slow = time.monotonic() - start > BATCH_SECONDS
        self.batch_size = max(1, len(cases) // 2) if slow else min(BATCH, 2 * len(cases))
        return outcomes

    def _batch(self, numbers: Sequence[int]) -> Iterator[Event]:
        cases = [self.plan.case(number) for number in numbers]
        verdicts: dict[str, list[str]] = defaultdict(list)
        wrong: list[tuple[BackendSpec, Case, Outcome]] = []
        for number, case, outcomes in zip(numbers, cases, self._run(cases), strict=True):
            judged = judge_all(case, outcomes)
            self.note(number, case, judged.words)
            for spec, outcome in outcomes.items():
                if (word := judged.words.get(spec.text)) is not None:
                    verdicts[spec.text].append(word)
                    vague = judged.is_vague and isinstance(outcome, Values)
                    if vague or is_suspicious(word, outcome):
                        wrong.append((spec, case, outcome))
        yield BatchJudged(
            cases=len(cases),
            comparisons=sum(len(each) for each in verdicts.values()),
            seconds=self._elapsed(),
            counts={name: count(each) for name, each in verdicts.items()},
            cells=self._new_cells(cases),
        )
        for spec, case, outcome in wrong:
            yield from self._look_into(spec, case, outcome)
        yield from self._sightings()

    def _new_cells(self, cases: Sequence[Case]) -> tuple[str, ...]:
        """Coverage cells that no earlier batch reached."""
        new = {cell for case in cases for cell in case.cells} - self.cells
        self.cells |= new
        return tuple(sorted(new))

    def _look_into(self, spec: BackendSpec, case: Case, outcome: Outcome) -> Iterator[Event]:
        if self._recognise(spec, case, outcome):
            return
        for suspect in suspects(self.bench, spec, case, outcome):
            alias = self.aliases.get(suspect.signature.id, suspect.signature.id)
            if alias in self.known:
                self.known[alias].seen += 1
            elif suspect.matches or self._may_investigate(suspect.signature):
                yield from self._investigate(suspect)

    def _recognise(self, spec: BackendSpec, case: Case, outcome: Outcome) -> bool:
        """Whether a known bug of this backend explains the outcome; counted if so."""
        for each in self.known.values():
            bug = each.suspect
            told_apart = bool(bug.matches) or not isinstance(outcome, Values)
            same_engine = bug.signature.backend == tested(spec)
            if same_engine and told_apart and shows_bug(self.bench, bug, case, outcome):
                each.seen += 1
                return True
        return False

    def _may_investigate(self, signature: Signature) -> bool:
        self.unexplained[_place(signature)] += 1
        return self.unexplained[_place(signature)] <= UNEXPLAINED_LIMIT

    def _investigate(self, suspect: Suspect) -> Iterator[Event]:
        try:
            small = shrink(self.bench, suspect)
        except KeyboardInterrupt:
            yield self._save(suspect)
            raise
        self.aliases[suspect.signature.id] = small.signature.id
        if small.signature.id in self.known:
            self.known[small.signature.id].seen += 1
            return
        try:
            dossier = investigate(self.bench, small, seed=self.plan.seed)
        except KeyboardInterrupt:
            yield self._save(small)
            raise
        yield self._keep(small, dossier)

    def _save(self, suspect: Suspect) -> FindingSaved:
        """Keep a bug in a hurry: without its law, and as large as it is."""
        dossier = investigate(self.bench, suspect, seed=self.plan.seed, law=False)
        return self._keep(suspect, dossier)

    def _keep(self, suspect: Suspect, dossier: Dossier) -> FindingSaved:
        self.known[suspect.signature.id] = _Known(suspect, seen=1, reported=1)
        return self.keep(dossier)

    def _sightings(self) -> Iterator[Event]:
        for name, each in self.known.items():
            if each.seen != each.reported:
                each.reported = each.seen
                yield FindingSeen(id=name, seen=each.seen)


def _place(signature: Signature) -> tuple[str, str, str]:
    return signature.backend, signature.kind, signature.op


def own_version() -> str:
    """The version of quantdiff, also in a checkout that is not installed."""
    try:
        return version("quantdiff")
    except PackageNotFoundError:
        return "0.1.0"
