"""The unit of a campaign's work: the cases of some numbers, drawn, run and judged.

``judge`` depends on what it is given alone, so that any process may do it: the same numbers give
the same cases and the same verdicts wherever and whenever they are judged.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from corpus.case import Case
from generators.illegal import breach_of
from harness.backends.spec import BackendSpec
from harness.bench import Bench, Skipped, operator_of
from harness.campaign.plan import Plan
from harness.coverage import taken
from harness.outcome import Outcome, TimedOut, Values
from harness.parties import Parties, parties
from harness.partner_bugs import every_suspect, words_by_partner
from harness.partners import moved_by
from harness.same import Bug, recognises
from harness.suspect import (
    TWO_RUNS,
    Signature,
    Suspect,
    is_stable,
    nondeterministic,
    tested,
)
from harness.verdicts import JudgedAll, failure_of, is_suspicious, judge_all

NONDETERMINISTIC = "nondeterministic"
Place = tuple[str, str, str]  # backend, kind and operator of a signature


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of bugs so far; a later one holds everything of an earlier one.

    ``bugs`` have their findings, in the order they were found. ``ids`` give for the id of a
    signature that of the finding it became. Of ``closed`` places no bug without a diagnosis is
    wanted any more.
    """

    bugs: tuple[Bug, ...] = ()
    ids: Mapping[str, str] = field(default_factory=dict)
    closed: frozenset[Place] = frozenset()


@dataclass(frozen=True, slots=True)
class Task:
    """Numbers to judge. ``watched`` and ``skipped`` are backends and operators (see `Supply`)."""

    numbers: range
    known: Knowledge = field(default_factory=Knowledge)
    watched: Skipped = frozenset()
    skipped: Skipped = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """One judged case: the verdict of every backend in one word.

    Where the oracle is ``silent``, for that reason, only failures have words, and answers that a
    backend's answer to a partner does not fit; ``parties`` says then which backends agree. ``fusions`` are those that backends took, where somebody looked.
    """

    number: int
    digest: str
    origin: str
    words: Mapping[str, str]
    cells: tuple[str, ...]
    silent: str = ""
    parties: Parties = ()
    fusions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """An outcome that calls for a closer look and that none of the first ``tried`` bugs explains.

    ``flaky`` says how a second run of the case differed. ``suspects`` is what a closer look found,
    where somebody has looked: a bug that is known is there by its id.
    """

    number: int
    spec: BackendSpec
    outcome: Outcome
    tried: int
    flaky: str = ""
    suspects: tuple[Suspect | str, ...] | None = None


@dataclass(frozen=True, slots=True)
class JudgedTask:
    """What became of a task: a row a case, and what is suspicious, in the order of the cases.

    ``seen`` counts the known bugs that were met, by id. ``hangs`` gives for each backend and
    operator that hung or is watched how many time-outs in a row it ended with, and whether it
    gave no answer at all; ``unasked`` counts what was skipped, by backend.
    """

    numbers: range
    rows: tuple[Row, ...]
    suspicions: tuple[Suspicion, ...]
    seen: Mapping[str, int]
    hangs: Mapping[tuple[str, str], tuple[int, bool]]
    unasked: Mapping[str, int]


def judge(bench: Bench, plan: Plan, task: Task, *, deep: bool) -> JudgedTask:
    """Draw, run and judge the cases of a task; with ``deep`` also look into what is suspicious."""
    cases = [plan.case(number) for number in task.numbers]
    answers = bench.run_all(cases, task.skipped)
    rows: list[Row] = []
    suspicions: list[Suspicion] = []
    seen: Counter[str] = Counter()
    met: list[Bug] = []
    for number, case, outcomes in zip(task.numbers, cases, answers, strict=True):
        judged = judge_all(case, outcomes)
        words = dict(judged.words)
        if judged.silent:
            words |= words_by_partner(bench, case, outcomes)
        for spec, outcome in _suspicious(words, outcomes, is_vague=judged.is_vague):
            bug = recognised(bench, task.known.bugs, spec, case, outcome)
            if bug is not None:
                seen[bug.signature.id] += 1
                continue
            wrong = is_suspicious(words[spec.text], outcome)
            flaky = how_flaky(bench, spec, case, outcome) if wrong else ""
            if flaky:
                words[spec.text] = NONDETERMINISTIC
            each = Suspicion(number, spec, outcome, len(task.known.bugs), flaky)
            if deep and recognised(bench, met, spec, case, outcome) is None:
                each = looked_into(bench, case, each, task.known)
                met += (bug_of(one) for one in _suspects(each))
            suspicions.append(each)
        rows.append(_row(bench, number, case, outcomes, judged, words))
    return JudgedTask(
        task.numbers,
        tuple(rows),
        tuple(suspicions),
        dict(seen),
        *_hangs(task, cases, answers, bench.specs),
    )


def _row(
    bench: Bench,
    number: int,
    case: Case,
    outcomes: Mapping[BackendSpec, Outcome],
    judged: JudgedAll,
    words: Mapping[str, str],
) -> Row:
    return Row(
        number,
        case.digest,
        case.origin,
        words,
        case.cells,
        judged.silent,
        parties=_parties(outcomes) if judged.silent else (),
        fusions=taken(bench, number, case, outcomes),
    )


def _parties(outcomes: Mapping[BackendSpec, Outcome]) -> Parties:
    return parties({spec.text: each for spec, each in outcomes.items()})


def _suspicious(
    words: Mapping[str, str], outcomes: Mapping[BackendSpec, Outcome], *, is_vague: bool
) -> Iterator[tuple[BackendSpec, Outcome]]:
    for spec, outcome in outcomes.items():
        if (word := words.get(spec.text)) is not None:
            vague = is_vague and isinstance(outcome, Values)
            if vague or is_suspicious(word, outcome):
                yield spec, outcome


def bug_of(suspect: Suspect) -> Bug:
    """What it takes to recognise the suspect again."""
    return Bug(suspect.spec, suspect.signature, suspect.matches)


def recognised(
    bench: Bench, bugs: Iterable[Bug], spec: BackendSpec, case: Case, outcome: Outcome
) -> Bug | None:
    """The first of the bugs that is this backend's and explains the outcome."""
    for bug in bugs:
        by_partner = moved_by(bug.signature.cause)
        told_apart = bug.matches or by_partner or not isinstance(outcome, Values)
        same_engine = bug.signature.backend == tested(spec)
        if same_engine and told_apart and recognises(bench, bug, case, outcome):
            return bug
    return None


def how_flaky(bench: Bench, spec: BackendSpec, case: Case, outcome: Outcome) -> str:
    """How another run of the case differs; empty where it does not.

    After a crash or a hang it is a fresh worker that runs it. That a broken model crashed once is
    enough: what it does to memory is chance.
    """
    if breach_of(case):
        return ""
    if isinstance(outcome, Values):
        stable = is_stable(bench, spec, case, outcome, runs=1)
        return "" if stable else TWO_RUNS
    kind, message = failure_of(outcome)
    again, _ = failure_of(bench.run(case, spec))
    return "" if again == kind else f"{kind} in one run, not in another: {message}"


def looked_into(bench: Bench, case: Case, suspicion: Suspicion, known: Knowledge) -> Suspicion:
    """The suspicion with its suspects; what ``known`` makes unnecessary is left out of them."""
    spec = suspicion.spec
    if suspicion.flaky:
        found: Sequence[Suspect] = (nondeterministic(spec, case, suspicion.flaky),)
    else:
        found = every_suspect(bench, spec, case, suspicion.outcome)
    wanted = tuple(
        known.ids.get(each.signature.id, each)
        for each in found
        if each.matches
        or each.signature.id in known.ids
        or place_of(each.signature) not in known.closed
    )
    return Suspicion(
        suspicion.number, spec, suspicion.outcome, suspicion.tried, suspicion.flaky, wanted
    )


def _suspects(suspicion: Suspicion) -> Iterator[Suspect]:
    for each in suspicion.suspects or ():
        if isinstance(each, Suspect):
            yield each


def place_of(signature: Signature) -> Place:
    """Where a bug was seen, whatever its cause."""
    return signature.backend, signature.kind, signature.op


def _hangs(
    task: Task,
    cases: Sequence[Case],
    answers: Sequence[Mapping[BackendSpec, Outcome]],
    specs: Sequence[BackendSpec],
) -> tuple[dict[tuple[str, str], tuple[int, bool]], dict[str, int]]:
    """What `JudgedTask` says of hangs and of what was not asked."""
    hung = any(isinstance(each, TimedOut) for by_spec in answers for each in by_spec.values())
    if not (hung or task.watched or task.skipped):
        return {}, {}
    late: dict[tuple[str, str], list[bool]] = {}
    unasked: Counter[str] = Counter()
    for case, by_spec in zip(cases, answers, strict=True):
        operator = operator_of(case.proto())
        for spec in specs:
            pair = spec.text, operator
            if spec in by_spec:
                late.setdefault(pair, []).append(isinstance(by_spec[spec], TimedOut))
            else:
                unasked[spec.text] += pair in task.skipped
    told = {
        pair: (_at_end(each), all(each))
        for pair, each in late.items()
        if any(each) or pair in task.watched
    }
    return told, dict(+unasked)


def _at_end(late: Sequence[bool]) -> int:
    """How many are true at the end."""
    return next((n for n, each in enumerate(reversed(late)) if not each), len(late))
