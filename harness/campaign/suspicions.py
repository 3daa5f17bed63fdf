"""What calls for a closer look, what a closer look finds, and what makes it unnecessary."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from corpus.case import Case
from generators.illegal import breach_of
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.cause import UNEXPLAINED
from harness.foretold import may_read_beside
from harness.other_data import other_data
from harness.outcome import Outcome, Values
from harness.partner_bugs import every_suspect
from harness.partners import moved_by
from harness.same import Bug, faults_of, recognises
from harness.signature import NONDETERMINISTIC, Signature
from harness.stability import is_stable
from harness.suspect import (
    TWO_RUNS,
    Suspect,
    nondeterministic,
    tested,
)
from harness.verdicts import failure_of

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


def bug_of(suspect: Suspect) -> Bug:
    """What it takes to recognise the suspect again."""
    return Bug(suspect.spec, suspect.signature, suspect.matches)


def recognised(
    bench: Bench, bugs: Iterable[Bug], spec: BackendSpec, case: Case, outcome: Outcome
) -> Bug | None:
    """The first of the bugs that is this backend's and explains the outcome."""
    for bug in bugs:
        by_partner = moved_by(bug.signature.cause)
        wavers = bug.signature.kind == NONDETERMINISTIC  # of what, only a look tells
        known = by_partner or (bug.matches and not wavers)
        told_apart = known or not isinstance(outcome, Values)
        same_engine = bug.signature.backend == tested(spec)
        if same_engine and told_apart and recognises(bench, bug, case, outcome):
            return bug
    return None


def is_beside(bench: Bench, bug: Bug, case: Case, outcome: Outcome) -> bool:
    """Whether the bug reads beside its tensors in this case, and gives something else in another run."""
    may = may_read_beside(case, bench.profile(bug.spec), faults_of(bug))
    return (
        may and isinstance(outcome, Values) and how_flaky(bench, bug.spec, case, outcome) != ""
    )


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
    wanted = tuple(
        known.ids.get(each.signature.id, each)
        for each in _suspects(bench, case, suspicion, known)
        if each.matches
        or each.signature.id in known.ids
        or place_of(each.signature) not in known.closed
    )
    return Suspicion(
        suspicion.number, spec, suspicion.outcome, suspicion.tried, suspicion.flaky, wanted
    )


def _suspects(
    bench: Bench, case: Case, suspicion: Suspicion, known: Knowledge
) -> tuple[Suspect, ...]:
    spec, flaky = suspicion.spec, suspicion.flaky
    if flaky:
        return (nondeterministic(bench, spec, case, flaky),)
    found = every_suspect(bench, spec, case, suspicion.outcome)
    return tuple(_if_stable(bench, each, known) for each in found)


def _if_stable(bench: Bench, suspect: Suspect, known: Knowledge) -> Suspect:
    """The suspect; where nothing explains it, but it has several answers on other data, that it has."""
    signature = suspect.signature
    if signature.cause != UNEXPLAINED or signature.id in known.ids:
        return suspect
    for case in other_data(suspect.case):
        outcome = bench.run(case, suspect.spec)
        if how_flaky(bench, suspect.spec, case, outcome) == TWO_RUNS:
            return nondeterministic(bench, suspect.spec, case)
    return suspect


def place_of(signature: Signature) -> Place:
    """Where a bug was seen, whatever its cause."""
    return signature.backend, signature.kind, signature.op
