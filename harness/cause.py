"""The cause of wrong values: faults that explain them, else the passes that must be off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from corpus.case import Array, Case
from corpus.finding import Match
from engine.faults import Fault
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.confirm import confirmed
from harness.crop import cropped
from harness.diagnose import Diagnosis, diagnose, diagnoses, variants
from harness.foretold import foretold
from harness.in_graph import diagnose_in_graph
from harness.locate import Judged
from harness.observe import CONVERSIONS
from harness.oracle import Allowed, Verdict
from harness.outcome import Outcome, Values, is_same
from harness.passes import passes_of
from harness.verdicts import is_wrong
from harness.wording import types_words

OF_VALUES = ("divergent", "rounding-mode", "nonfinite")
"""The kinds of verdicts that faults are tried for."""
OF_SHAPE = "wrong-type-or-shape"

PASS = "pass "
TIES = "ties"
UNEXPLAINED = (
    "unexplained"  # where the wrong values lie is a matter of the case that is left of it
)


@dataclass(frozen=True, slots=True)
class Blamed:
    """An operation at fault: ``alone`` on its own inputs, in the ``whole`` case, its ``row`` there."""

    whole: Case
    alone: Case
    op: str
    row: Judged


@dataclass(frozen=True, slots=True)
class Cause:
    """``text`` is the best fault's id, or what stands for it where no fault is known.

    With a ``place`` it is the same cause in whatever operation it shows.
    """

    text: str
    matches: tuple[Match, ...]
    near: tuple[Match, ...]
    place: str = ""


def cause_of(
    bench: Bench, spec: BackendSpec, blamed: Blamed, known: Sequence[Match] = ()
) -> Cause:
    """Why this backend gets the operation wrong; faults ``known`` of others are tried first."""
    alone, op, row = blamed.alone, blamed.op, blamed.row
    if types := types_words(row.verdict.pattern):
        return Cause(types, (), (), place="type")
    diagnosis = _diagnosis(bench, spec, alone, row, known)
    outcome = bench.run(alone, spec)
    seen = diagnosis.matches or _is_as_seen(outcome, row)
    if not (seen and isinstance(outcome, Values) and is_wrong(alone, outcome)):
        # then its neighbours have a part in it
        likely = _fitting(alone, row, bench.profile(spec))
        found = diagnose_in_graph(bench, spec, blamed.whole, row.unit, likely)
        diagnosis = replace(diagnosis, matches=found)
    matches = diagnosis.matches
    passes = (
        telling_passes(bench, spec, blamed.whole) if not matches or op in CONVERSIONS else ()
    )
    if passes and op in CONVERSIONS:
        matches = tuple(each for each in matches if _may_hang_on_a_pass(variants(each)[0]))
    text = matches[0].fault if matches else _without_fault(row.verdict, passes)
    return Cause(text, matches, diagnosis.near)


def _fitting(alone: Case, row: Judged, profile: str) -> list[Fault]:
    """The faults that give what was seen in the graph, whether the operation alone has it or not."""
    if row.verdict.kind not in OF_VALUES or row.allowed is None:
        return []
    found = diagnose(alone, {row.tensor: row.array}, {row.tensor: row.allowed}, profile)
    return [fault for match in found.matches for fault in variants(match)]


def _is_as_seen(outcome: Outcome, row: Judged) -> bool:
    """Whether the operation alone gives what it gave in the graph; it may have another bug alone."""
    array = outcome.arrays.get(row.tensor) if isinstance(outcome, Values) else None
    return (
        array is not None
        and array.shape == row.array.shape
        and bool(is_same(array, row.array).all())
    )


def _may_hang_on_a_pass(fault: Fault) -> bool:
    """A kernel's rounding rule does not; that another kernel multiplies and subtracts, does."""
    return fault.acts_on_rules or "dequantize.real" in fault.stages


def telling_passes(bench: Bench, spec: BackendSpec, case: Case) -> tuple[tuple[str, ...], ...]:
    """The passes whose removal restores the answer; another engine's answer is no cause."""
    others = bench.describe(spec).replacements
    return tuple(each for each in passes_of(bench, spec, case) if set(others).isdisjoint(each))


def _diagnosis(
    bench: Bench, spec: BackendSpec, alone: Case, row: Judged, known: Sequence[Match]
) -> Diagnosis:
    """The faults that explain the wrong values, there and on other data.

    Those ``known`` from other operations of the graph are tried first. What a large operation does
    is looked at on a part of it.
    """
    profile = bench.profile(spec)
    if row.verdict.kind == OF_SHAPE:
        return Diagnosis(foretold(alone, bench.run(alone, spec), profile), ())
    if row.verdict.kind not in OF_VALUES or row.allowed is None:
        return Diagnosis((), ())
    actual, allowed = {row.tensor: row.array}, {row.tensor: row.allowed}
    again = [
        fault for match in known for fault in variants(match) if fault.title == match.title
    ]
    if again and (found := diagnose(alone, actual, allowed, profile, again)).matches:
        return found
    part = cropped(bench, spec, alone)
    if part is None:
        return _confirmed(bench, spec, alone, actual, allowed, row.verdict.kind)
    found = _confirmed(bench, spec, part.case, part.actual, part.allowed, row.verdict.kind)
    faults = [fault for match in found.matches for fault in variants(match)]
    return replace(found, matches=diagnose(alone, actual, allowed, profile, faults).matches)


def _confirmed(
    bench: Bench,
    spec: BackendSpec,
    case: Case,
    actual: Mapping[str, Array],
    allowed: Mapping[str, Allowed],
    kind: str,
) -> Diagnosis:
    """The first diagnosis that holds on other data too.

    Of two faults at once one may be all that the case shows: then it is the case's.
    """
    alone: dict[str, Match] = {}
    for found in diagnoses(case, actual, allowed, bench.profile(spec)):
        if sure := confirmed(bench, spec, case, found.matches, _counting(kind)):
            shown = [alone[each] for each in sure[0].fault.split("+") if each in alone]
            return Diagnosis(tuple(shown[:1]) or sure, ())
        alone |= {each.fault: each for each in found.matches}
    return Diagnosis((), found.near)


def _counting(kind: str) -> str:
    """Ties on the wrong side are one bug; what else is wrong on fresh data is another one's."""
    return kind if kind == "rounding-mode" else ""


def _without_fault(verdict: Verdict, passes: tuple[tuple[str, ...], ...]) -> str:
    """What stands for the cause of values that no fault explains."""
    if verdict.kind == OF_SHAPE:
        return verdict.kind
    if verdict.kind == "rounding-mode" and not passes:
        return TIES  # where data put them
    return PASS + "+".join(passes[0]) if passes else UNEXPLAINED
