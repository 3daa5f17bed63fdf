"""From a wrong outcome to a suspect: which operation, which kind of wrong, which cause."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from corpus.case import Case
from corpus.finding import Match, Steps
from generators.illegal import breach_of
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.borne_out import at_fault_alone, borne_out
from harness.cause import PASS, UNEXPLAINED, Blamed, cause_of, telling_passes
from harness.failing import failing_part
from harness.foretold import foretold, unsettled
from harness.locate import Judged, alone, culprits, locate
from harness.observe import CONVERSIONS, PREFIXES, main_op, observe, whole_graph
from harness.opened import opened
from harness.oracle import Oracle, judge
from harness.outcome import FusedOp, Outcome, Refused, Values
from harness.signature import BROKEN, NONDETERMINISTIC, Signature
from harness.single import each_operator
from harness.stability import is_stable, unstable_part
from harness.verdict_class import kind_of_bug
from harness.verdicts import failure_of, is_wrong
from harness.wording import message_words, said_place

TWO_RUNS = "two runs of the same case differ"
EARLIER = "harm of an earlier case"


@dataclass(frozen=True, slots=True)
class Suspect:
    """One wrong operation of one backend on one case.

    ``case`` is the operation alone, on the inputs that the backend itself fed it; ``whole`` the
    case it was seen in. ``near`` are faults that reproduce most of the wrong values, where none
    reproduces all. ``rows`` are all observed tensors of that run.
    """

    spec: BackendSpec
    signature: Signature
    case: Case
    whole: Case
    unit: FusedOp
    steps: Steps
    pattern: str
    matches: tuple[Match, ...]
    located_by: str
    message: str
    rows: tuple[Judged, ...]
    near: tuple[Match, ...] = ()


def tested(spec: BackendSpec) -> str:
    """The engine under test: a backend's name without its options."""
    return f"{spec.name}@{spec.python}" if spec.python else spec.name


def suspects(
    bench: Bench, spec: BackendSpec, case: Case, outcome: Outcome
) -> tuple[Suspect, ...]:
    """Everything wrong with one outcome, operation by operation, first culprit first.

    Nothing where the outcome is right.
    """
    if not isinstance(outcome, Values):
        return (_failed(bench, spec, case, outcome),)
    tapped = observe(bench.pool, spec, case, outcome.arrays)
    method = tapped.method
    rows = borne_out(bench, spec, case, locate(case.proto(), tapped), method)
    return blamed(bench, spec, case, outcome, rows, method, lambda: is_wrong(case, outcome))


def blamed(
    bench: Bench,
    spec: BackendSpec,
    case: Case,
    outcome: Values,
    rows: tuple[Judged, ...],
    method: str,
    wrong_at_end: Callable[[], bool],
    told: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[Suspect, ...]:
    """A suspect for each operation at fault; ``rows`` are the judged tensors of this outcome.

    Where none of them is wrong but the outcome is, the whole graph is blamed. ``told`` hears how
    many operations are looked into, and of how many.
    """
    wrong = culprits(rows)
    if not wrong_at_end():
        wrong = at_fault_alone(bench, spec, case, wrong, rows)
        if not wrong:
            return ()
    if not is_stable(bench, spec, case, outcome):
        return (nondeterministic(bench, spec, case),)
    found: list[Suspect] = []
    for row in wrong:
        known = tuple(match for each in found for match in each.matches[:1])
        blame = _divergent(bench, spec, case, row, rows, method, known)
        found.append(_inside(bench, spec, blame))
        told(len(found), len(wrong))
    return tuple(found) or _not_located(bench, spec, case, outcome)


def _divergent(
    bench: Bench,
    spec: BackendSpec,
    whole: Case,
    row: Judged,
    rows: tuple[Judged, ...],
    method: str,
    known: Sequence[Match] = (),
) -> Suspect:
    part = alone(whole, row, rows)
    op, verdict = _op_of(row.unit, whole), row.verdict
    cause = cause_of(bench, spec, Blamed(whole, part, op, row), known)
    return Suspect(
        spec=spec,
        signature=Signature(
            tested(spec),
            kind_of_bug(verdict.kind, cause.matches),
            op,
            row.unit.kind,
            cause.text,
            cause.place,
        ),
        case=part,
        whole=whole,
        unit=row.unit,
        steps=Steps(verdict.max_steps, verdict.wrong, verdict.total),
        pattern=verdict.pattern,
        matches=cause.matches,
        located_by=method,
        message="",
        rows=rows,
        near=cause.near,
    )


def _inside(bench: Bench, spec: BackendSpec, blame: Suspect) -> Suspect:
    """The operation at fault in the branch of an If, where that is as wrong without the If.

    Where it needs its neighbours to be wrong, in the whole case.
    """
    for case in filter(None, (opened(blame.case), opened(blame.whole))):
        found = suspects(bench, spec, case, bench.run(case, spec))
        alike = [each for each in found if each.signature.kind == blame.signature.kind]
        if alike:
            return alike[0]
    return _by_itself(bench, spec, blame)


def _by_itself(bench: Bench, spec: BackendSpec, blame: Suspect) -> Suspect:
    """Where no fault is known, the first of the operators that is wrong on exact inputs of its own."""
    if blame.signature.cause != UNEXPLAINED:
        return blame
    for case in each_operator(blame.case):
        outcome = bench.run(case, spec)
        if isinstance(outcome, Values) and is_wrong(case, outcome):
            found = suspects(bench, spec, case, outcome)
            return next((each for each in found if each.signature.cause == UNEXPLAINED), blame)
    return blame


def _not_located(
    bench: Bench, spec: BackendSpec, case: Case, outcome: Values
) -> tuple[Suspect, ...]:
    """Wrong at the end, right in every operation that could be seen: blame the whole graph."""
    for name, allowed in Oracle(case.proto()).allowed(case.inputs).items():
        array = outcome.arrays.get(name)
        verdict = judge(allowed, array)
        if verdict.is_wrong and array is None:
            return (_whole(spec, case, verdict.kind, verdict.pattern),)
        if verdict.is_wrong and array is not None:
            unit = replace(whole_graph(case), outputs=(name,))
            row = Judged(name, unit, array, verdict, allowed.slack, allowed)
            return (_divergent(bench, spec, case, row, (row,), "whole graph"),)
    return ()


def _failed(bench: Bench, spec: BackendSpec, case: Case, outcome: Outcome) -> Suspect:
    """A refusal, a crash or a hang: the shortest prefix of the graph that shows it, in the same words."""
    kind, message = failure_of(outcome)
    if breach_of(case):  # a part of a broken model may be a valid one
        suspect = _whole(spec, case, kind, message)
        return replace(suspect, signature=replace(suspect.signature, place=BROKEN))
    part = failing_part(bench, spec, case, kind, message)
    suspect = _whole(spec, part.case, kind, part.message)
    named = replace(suspect, signature=replace(suspect.signature, op=part.op))
    said = replace(outcome, message=part.message) if isinstance(outcome, Refused) else outcome
    found = foretold(part.case, said, bench.profile(spec))
    return _explained(named, found) if found else _placed(bench, named)


def _explained(suspect: Suspect, found: tuple[Match, ...]) -> Suspect:
    signature = replace(suspect.signature, cause=found[0].fault)
    return replace(suspect, signature=signature, matches=found)


def _placed(bench: Bench, suspect: Suspect) -> Suspect:
    """A refusal with the place it comes from."""
    signature = suspect.signature
    if signature.kind != "refused":
        return suspect
    place = said_place(suspect.message)
    if not place and (passes := telling_passes(bench, suspect.spec, suspect.case)):
        place = PASS + "+".join(passes[0])
    return replace(suspect, signature=replace(signature, place=place))


def nondeterministic(
    bench: Bench, spec: BackendSpec, case: Case, message: str = TWO_RUNS
) -> Suspect:
    """The suspect for a backend that answers one case in different ways: the first operator that does.

    Where it died of a case that it does not take, the engine never saw the model: no operator of it
    is at fault, and what is, cannot be told from it.
    """
    again = bench.run(case, spec)
    if isinstance(again, Refused) and again.documented:
        harmed = _whole(spec, case, NONDETERMINISTIC, message)
        signature = replace(harmed.signature, op="", cause=EARLIER, place=EARLIER)
        return replace(harmed, signature=signature)
    part = unstable_part(bench, spec, case)
    suspect = _whole(spec, part, NONDETERMINISTIC, message)
    op = _changing(part, suspect.signature.op)
    named = replace(suspect, whole=case, signature=replace(suspect.signature, op=op))
    found = unsettled(part, bench.profile(spec))
    return _explained(named, found) if found else named


def _changing(part: Case, main: str) -> str:
    """The operator of a part whose last tensor has several values: its ``main`` one as a rule.

    Of two conversions it is the first, that of the codes. A QuantizeLinear behind reals that are
    made of no codes is in no fused operation: what is in front of it has one answer.
    """
    ops: list[str] = [each.op_type for each in part.proto().graph.node]
    if ops[-1] == "QuantizeLinear" and "DequantizeLinear" not in ops:
        return ops[-1]
    return ops[0] if main in CONVERSIONS else main


def _whole(spec: BackendSpec, case: Case, kind: str, message: str) -> Suspect:
    unit = whole_graph(case)
    return Suspect(
        spec=spec,
        signature=Signature(tested(spec), kind, unit.kind, "", message_words(message, case)),
        case=case,
        whole=case,
        unit=unit,
        steps=Steps(0, 0, 0),
        pattern="",
        matches=(),
        located_by=PREFIXES,
        message=message,
        rows=(),
    )


def _op_of(unit: FusedOp, case: Case) -> str:
    names = set(unit.nodes)
    nodes = [
        node for node in case.proto().graph.node if (node.name or node.output[0]) in names
    ]
    return main_op(nodes) if nodes else unit.kind
