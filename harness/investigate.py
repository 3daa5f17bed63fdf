"""From a suspect to a finding: shrink it, find the passes and the law, gather the evidence."""

import platform
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx

from corpus.case import Array, Case, node_id
from corpus.finding import PARTNER, Engine, Evidence, Finding, LawCounts, Match, Size
from generators.illegal import breach_of
from harness.backends.spec import parse
from harness.bench import Bench
from harness.cause import PASS
from harness.evidence import arrays_of, gather
from harness.isa import sweep
from harness.law import Law
from harness.law.bug import HANGS, NO_LAW, law_of
from harness.observe import CONVERSIONS, main_node
from harness.oracle import Allowed, Oracle, Silent
from harness.outcome import Outcome, Values
from harness.partner_bugs import every_suspect, shown_by_partner
from harness.partners import Disagreement, left_by_partner
from harness.passes import passes_of
from harness.reduce import reduce
from harness.same import same_bug, shows_bug
from harness.suspect import EARLIER, Suspect, nondeterministic
from harness.verdict_class import kind_of_bug, verdict_class
from harness.verdicts import is_wrong

TOO_SLOW = "neither passes nor a law are looked for: each try would take the time limit"


@dataclass(frozen=True, slots=True)
class Dossier:
    """A finding, its evidence, and the arrays that its folder holds (by role and tensor name).

    ``partner`` are the two answers that do not fit together, where those are all there is.
    """

    finding: Finding
    evidence: Evidence
    case: Case
    arrays: dict[str, dict[str, Array]]
    partner: Disagreement | None = None


def shrink(bench: Bench, suspect: Suspect, *, budget_s: float = 20.0) -> Suspect:
    """The same bug on the smallest case found; a candidate that shows another bug is not followed.

    What is small may have nothing of the suspect's name left, and no diagnosis: then each step is
    asked for that name. It may have a diagnosis that the suspect did not have, or another.
    """
    if breach_of(suspect.case):
        return suspect  # broken in one way on purpose: what is smaller is not broken alike
    if suspect.signature.place == EARLIER:
        return suspect  # no part of the case shows it
    small = _reduced(bench, suspect, same_bug(bench, suspect), budget_s)
    is_kept = small.matches or small.signature.id == suspect.signature.id
    if is_kept or not _is_named(suspect):
        return small
    keeps = _same_name(bench, suspect)
    if not (keeps(suspect.case) or keeps(suspect.whole)):
        return small
    return _reduced(bench, suspect, keeps, budget_s)


def tells_another(suspect: Suspect, small: Suspect) -> bool:
    """Whether a suspect with one fault shrank to one with another: its name may be that of a bug of its own."""
    is_same = small.signature.id == suspect.signature.id
    return bool(suspect.matches and small.matches) and not is_same


def _is_named(suspect: Suspect) -> bool:
    """Whether it is known what it comes from: a fault, a pass, or the place that a refusal tells."""
    signature = suspect.signature
    return bool(suspect.matches or signature.place or signature.cause.startswith(PASS))


def _same_name(bench: Bench, suspect: Suspect) -> Callable[[Case], bool]:
    """A predicate: the same bug, and looked into it has the suspect's name again. Takes up to seconds."""
    same = same_bug(bench, suspect)

    def keeps(case: Case) -> bool:
        return same(case) and any(
            each.signature.id == suspect.signature.id
            for each in _looked_into(bench, suspect, case)
        )

    return keeps


def _looked_into(bench: Bench, suspect: Suspect, case: Case) -> tuple[Suspect, ...]:
    """What is wrong with another case on the suspect's backend, told in the suspect's words."""
    found = every_suspect(bench, suspect.spec, case, bench.run(case, suspect.spec))
    return tuple(as_before(each, suspect.matches) for each in found)


def _reduced(
    bench: Bench, suspect: Suspect, shows: Callable[[Case], bool], budget_s: float
) -> Suspect:
    """The suspect of the smallest case that ``shows`` the bug.

    A backend that was wrong on that case, and now is right on it, is nondeterministic; a crash
    that does not come again stays a crash, for it may be the harm of an earlier case.
    """
    start = suspect.case if shows(suspect.case) else suspect.whole
    values = {row.tensor: row.array for row in suspect.rows}
    small = reduce(
        start, shows, culprit=suspect.unit.nodes, values=values, budget_s=budget_s
    ).case
    again = _looked_into(bench, suspect, small)
    named = [each for each in again if each.signature.id == suspect.signature.id]
    alike = [each for each in again if each.signature.kind == suspect.signature.kind]
    if not alike and suspect.signature.kind == "crashed":
        return suspect
    if not again:
        return nondeterministic(bench, suspect.spec, small)
    return (named or alike or again)[0]


def as_before(small: Suspect, matches: tuple[Match, ...]) -> Suspect:
    """Of the faults that explain a shrunk case, those that explained the larger one, in its order.

    The kind is that of the first: where little is left, ties may be all that is wrong.
    """
    found = {match.fault: match for match in small.matches}
    held = tuple(found[each.fault] for each in matches if each.fault in found)
    if not held:
        return small
    told = small.signature
    cause = held[0].fault if told.cause in found else told.cause
    signature = replace(told, cause=cause, kind=kind_of_bug(told.kind, held))
    return replace(small, matches=held, signature=signature)


def suspect_of(bench: Bench, finding: Finding, case: Case) -> Suspect | None:
    """The suspect that a finding was made of, from the case that it was kept with.

    Nothing where the backend does not show it any more.
    """
    spec = parse(finding.backend.name)
    found = every_suspect(bench, spec, case, bench.run(case, spec))
    again = (as_before(each, finding.diagnosis) for each in found)
    return next((each for each in again if each.signature.id == finding.id), None)


def investigate(bench: Bench, suspect: Suspect, *, seed: int, law: bool = True) -> Dossier:
    """The finding for a shrunk suspect. Takes seconds, most of them for the law (unless refused)."""
    case = suspect.case if is_wrong_alone(bench, suspect) else suspect.whole
    outcome = bench.run(case, suspect.spec)
    partner = shown_by_partner(bench, suspect, outcome)
    allowed = left_by_partner(partner) if partner else _allowed(case, outcome)
    hangs = suspect.signature.kind == HANGS
    is_plain = not hangs and suspect.located_by != PARTNER
    found_law = law_of(bench, suspect, case, seed) if law else NO_LAW
    finding = Finding(
        id=suspect.signature.id,
        signature=suspect.signature.text,
        backend=Engine(suspect.spec.text, bench.describe(suspect.spec).version),
        kind=suspect.signature.kind,
        op=suspect.signature.op,
        nodes=main_first(suspect),
        fused_as=suspect.signature.fused_as,
        steps=suspect.steps,
        pattern=suspect.pattern,
        switches=passes_of(bench, suspect.spec, case) if is_plain else (),
        diagnosis=suspect.matches,
        law=found_law.text,
        law_counts=counts_of(found_law),
        size=size_of(case),
        seen=1,
        located_by=suspect.located_by,
        command="",
        message=f"{suspect.message}; {TOO_SLOW}" if hangs else suspect.message,
        near_misses=suspect.near,
        instruction_sets=sweep(bench, suspect.spec, case) if suspect.rows and is_plain else {},
        verdict=verdict_class(suspect.signature.kind, suspect.matches),
    )
    evidence = gather(bench, suspect, case, allowed, found_law, _versions(bench, suspect))
    if partner:  # what it makes of the partner binds no other backend
        evidence = replace(evidence, samples=evidence.samples[:1])
    return Dossier(finding, evidence, case, arrays_of(case, allowed, outcome), partner)


def counts_of(law: Law) -> LawCounts:
    """How a law fared, as findings tell it."""
    return LawCounts(
        failing=law.called_failing,
        called_failing=law.called_failing + law.passing - law.called_passing,
        passing=law.called_passing,
        called_passing=law.called_passing + law.failing - law.called_failing,
    )


def _allowed(case: Case, outcome: Outcome) -> Mapping[str, Allowed]:
    """What the oracle allows where there are values; nothing where it is silent."""
    try:
        judged = isinstance(outcome, Values)
        return Oracle(case.proto()).allowed(case.inputs) if judged else {}
    except Silent:
        return {}


def is_wrong_alone(bench: Bench, suspect: Suspect) -> bool:
    """Whether the blamed operation is wrong as a model of its own, by the fault that it is blamed for."""
    outcome = bench.run(suspect.case, suspect.spec)
    if suspect.matches:
        return shows_bug(bench, suspect, suspect.case, outcome)
    return is_wrong(suspect.case, outcome)


def main_first(suspect: Suspect) -> tuple[str, ...]:
    """The nodes of the operation, the one it is named after before those that only convert."""
    ids = set(suspect.unit.nodes)
    nodes = [node for node in suspect.case.proto().graph.node if node_id(node) in ids]
    if not nodes:
        return suspect.unit.nodes
    main = node_id(main_node(nodes))
    return (main, *(each for each in suspect.unit.nodes if each != main))


def size_of(case: Case) -> Size:
    """Compute nodes (conversions not counted), bytes of the model, elements of all inputs."""
    nodes = [node for node in case.proto().graph.node if node.op_type not in CONVERSIONS]
    elements = sum(array.size for array in case.inputs.values())
    return Size(nodes=len(nodes), bytes=len(case.model), elements=elements)


def seen_in(dossier: Dossier, count: int) -> Dossier:
    """The dossier of a bug that showed so many times."""
    return replace(dossier, finding=replace(dossier.finding, seen=count))


def with_command(dossier: Dossier, command: list[str]) -> Dossier:
    """The dossier with the one command that reproduces it."""
    return replace(dossier, finding=replace(dossier.finding, command=shlex.join(command)))


def _versions(bench: Bench, suspect: Suspect) -> dict[str, str]:
    return {
        **dict(bench.describe(suspect.spec).versions),
        "onnx": onnx.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "machine": platform.machine(),
    }
