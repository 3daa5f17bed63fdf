"""Whether a candidate still shows the same bug: the question that reducing and law-finding ask."""

from collections.abc import Callable
from dataclasses import dataclass

from corpus.case import Case
from corpus.finding import Match
from engine.faults import Fault
from generators.illegal import breach_of
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.cause import PASS
from harness.diagnose import explain, variants
from harness.foretold import foretold, may_read_beside
from harness.oracle import Oracle, Silent, judge
from harness.outcome import Outcome, Values
from harness.partner_faults import explained
from harness.partners import first_disagreement, moved_by
from harness.signature import NONDETERMINISTIC, Signature
from harness.stability import is_stable
from harness.suspect import Suspect
from harness.verdict_class import named_kind
from harness.verdicts import NEVER, failure_of
from harness.wording import message_words, plain_op, said_place

FAILURES = ("refused", "crashed", "timed-out")


@dataclass(frozen=True, slots=True)
class Bug:
    """A suspect without its case: as much as it takes to recognise it."""

    spec: BackendSpec
    signature: Signature
    matches: tuple[Match, ...]


def same_bug(bench: Bench, suspect: Suspect) -> Callable[[Case], bool]:
    """A predicate: the backend is wrong on the case in the same way and for the same cause.

    A failure on what the standard says something of must stay one: to refuse a window that does not
    fit into its image is no bug.
    """
    judged = suspect.signature.kind in FAILURES and not is_silent(suspect.case)

    def shows(case: Case) -> bool:
        shown = shows_bug(bench, suspect, case, bench.run(case, suspect.spec))
        return shown and not (judged and is_silent(case))

    return shows


def is_silent(case: Case) -> bool:
    """Whether the standard says nothing of the case, or it is a broken one."""
    try:
        Oracle(case.proto()).allowed(case.inputs)
    except Silent:
        return True
    return False


def shows_bug(bench: Bench, suspect: Suspect | Bug, case: Case, outcome: Outcome) -> bool:
    """Same kind of verdict; with a diagnosis, the same fault explains every wrong element.

    Where two answers of the backend did not fit together, those to a partner like it do not.
    """
    signature = suspect.signature
    breaking = [each for each in faults_of(suspect) if each.breaks]
    if breaking and foretold(case, outcome, bench.profile(suspect.spec), breaking):
        return True
    kind, message = failure_of(outcome)
    if kind or (signature.kind in FAILURES and not breaking):
        return _fails_alike(signature, kind, message, case)
    if not isinstance(outcome, Values):
        return False
    if signature.kind == NONDETERMINISTIC:
        wavers = _wavers_alike(bench, suspect, case, outcome)
        if wavers or not suspect.matches:
            return wavers
    if not suspect.matches and not _has_op(case, signature.op):
        return False
    if moved := moved_by(signature.cause):
        return bool(first_disagreement(bench.run, suspect.spec, case, outcome, moved))
    return _diverges_alike(bench, suspect, case, outcome)


def _wavers_alike(bench: Bench, suspect: Suspect | Bug, case: Case, outcome: Values) -> bool:
    """Several answers; with a diagnosis where the fault may read beside its tensors."""
    faults = faults_of(suspect)
    may = not faults or may_read_beside(case, bench.profile(suspect.spec), faults)
    return may and not is_stable(bench, suspect.spec, case, outcome)


def _fails_alike(signature: Signature, kind: str, message: str, case: Case) -> bool:
    """The same failure in the same words, from the same place where a refusal says one.

    The words of an engine are long before they come to the check that failed. Which limit a broken
    model meets, or none, is chance.
    """
    if kind == "timed-out" == signature.kind and not breach_of(case):
        return True
    if message_words(message, case) != signature.cause:
        return False
    if breach_of(case):
        return kind in NEVER
    placed = "" if signature.place.startswith(PASS) else signature.place
    return kind == signature.kind and (kind != "refused" or said_place(message) == placed)


def recognises(bench: Bench, bug: Bug, case: Case, outcome: Outcome) -> bool:
    """The same, of a case that nobody made from the bug's: what tells no place must have its operator.

    One signal or one general message stands for many bugs; each hang would cost its time limits.
    """
    signature = bug.signature
    says = bug.matches or signature.place or breach_of(case) or signature.kind == "timed-out"
    return bool(says or _has_op(case, signature.op)) and shows_bug(bench, bug, case, outcome)


def faults_of(suspect: Suspect | Bug) -> tuple[Fault, ...]:
    """Every variant of the fault that the suspect was diagnosed with, the likeliest first."""
    return variants(suspect.matches[0]) if suspect.matches else ()


def _has_op(case: Case, op: str) -> bool:
    ops = {plain_op(node.op_type) for node in case.proto().graph.node}
    return plain_op(op) in ops


def _diverges_alike(bench: Bench, suspect: Suspect | Bug, case: Case, outcome: Values) -> bool:
    profile = bench.profile(suspect.spec)
    try:
        allowed = Oracle(case.proto()).allowed(case.inputs)
    except Silent:
        found = first_disagreement(bench.run, suspect.spec, case, outcome)
        return bool(found and explained(found, profile, faults_of(suspect)))
    if variants := faults_of(suspect):
        return any(explain(case, outcome.arrays, allowed, profile, each) for each in variants)
    verdicts = [judge(each, outcome.arrays.get(name)) for name, each in allowed.items()]
    return named_kind(suspect.signature.kind) in {named_kind(each.kind) for each in verdicts}
