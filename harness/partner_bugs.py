"""Bugs that only a partner shows: the suspect for a backend whose two answers do not fit together."""

from collections.abc import Mapping
from dataclasses import replace

from corpus.case import Case
from corpus.finding import PARTNER, Match, Steps
from engine.faults import CATALOGUE
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.locate import Judged
from harness.observe import whole_graph
from harness.oracle import judge
from harness.outcome import Outcome, Values
from harness.partner_faults import explained
from harness.partners import (
    Disagreement,
    first_disagreement,
    left_by_partner,
    moved_by,
    pattern_of,
)
from harness.signature import Signature
from harness.stability import is_stable
from harness.suspect import (
    Suspect,
    nondeterministic,
    suspects,
    tested,
)


def every_suspect(
    bench: Bench, spec: BackendSpec, case: Case, outcome: Outcome
) -> tuple[Suspect, ...]:
    """What is wrong by the oracle's word or, where there is nothing, by the backend's own answers."""
    found = suspects(bench, spec, case, outcome)
    return found or _by_partner(bench, spec, case, outcome)


def differs(bench: Bench, spec: BackendSpec, case: Case, outcome: Outcome) -> bool:
    """Whether an outcome does not fit the backend's own answer to a partner."""
    return first_disagreement(bench.run, spec, case, outcome) is not None


def words_by_partner(
    bench: Bench, case: Case, outcomes: Mapping[BackendSpec, Outcome]
) -> dict[str, str]:
    """The verdict on each backend whose answer does not fit one of its own, by its name."""
    found = (
        first_disagreement(bench.run, spec, case, outcome)
        for spec, outcome in outcomes.items()
    )
    return {each.spec.text: each.verdict.kind for each in found if each is not None}


def shown_by_partner(bench: Bench, suspect: Suspect, outcome: Outcome) -> Disagreement | None:
    """The two answers that do not fit, where that is what the suspect is about."""
    if suspect.located_by != PARTNER:
        return None
    moved = moved_by(suspect.signature.cause)
    return first_disagreement(bench.run, suspect.spec, suspect.case, outcome, moved)


def _by_partner(
    bench: Bench, spec: BackendSpec, case: Case, outcome: Outcome
) -> tuple[Suspect, ...]:
    found = first_disagreement(bench.run, spec, case, outcome)
    if found is None or not isinstance(outcome, Values):
        return ()
    is_same = is_stable(bench, spec, case, outcome)
    if not is_same or not is_stable(bench, spec, found.pair.partner, found.partner):
        return (nondeterministic(bench, spec, case),)
    return (_suspect(found, explained(found, bench.profile(spec), CATALOGUE)),)


def _suspect(found: Disagreement, matches: tuple[Match, ...]) -> Suspect:
    """The whole graph; what is wrong is said of the original's answer where the partner has it."""
    cause = matches[0].fault if matches else found.cause
    case, tensor = found.pair.original, found.tensor
    unit = replace(whole_graph(case), outputs=(tensor,))
    allowed, array = left_by_partner(found)[tensor], found.original.arrays[tensor]
    seen = judge(allowed, array)
    verdict = seen if seen.is_wrong else found.verdict
    return Suspect(
        spec=found.spec,
        signature=Signature(tested(found.spec), found.verdict.kind, unit.kind, "", cause),
        case=case,
        whole=case,
        unit=unit,
        steps=Steps(verdict.max_steps, verdict.wrong, verdict.total),
        pattern=pattern_of(found.pair.name, verdict),
        matches=matches,
        located_by=PARTNER,
        message="",
        rows=(Judged(tensor, unit, array, verdict, allowed.slack, allowed),),
    )
