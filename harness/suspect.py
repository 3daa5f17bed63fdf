"""From a wrong outcome to a suspect: which operation, which kind of wrong, which cause."""

import hashlib
import re
from dataclasses import dataclass

from corpus.case import Case
from corpus.finding import Match, Steps
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.confirm import confirmed
from harness.cut import cut, tensor_types
from harness.diagnose import diagnose
from harness.locate import Judged, culprits, locate
from harness.observe import main_op, observe, units
from harness.oracle import Oracle, judge
from harness.outcome import Crashed, FusedOp, Outcome, Refused, TimedOut, Values
from harness.passes import passes_of


@dataclass(frozen=True, slots=True)
class Signature:
    """What makes two findings the same bug.

    ``cause`` is the best fault's id; without a diagnosis, the passes whose removal restores the
    answer, else the pattern of the wrong values in words, or the backend's message, both without
    their numbers. ``op`` counts only where the backend has no name for the fused operation.
    """

    backend: str
    kind: str
    op: str
    fused_as: str
    cause: str

    @property
    def text(self) -> str:
        """One line, the same for the same bug in every run."""
        return " | ".join((self.backend, self.kind, self.fused_as or self.op, self.cause))

    @property
    def id(self) -> str:
        """Eight hex digits of the text's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Suspect:
    """One wrong operation of one backend on one case.

    ``case`` is the operation alone, on the inputs that the backend itself fed it; ``whole`` the
    case it was seen in. ``rows`` are all observed tensors of that run.
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


def tested(spec: BackendSpec) -> str:
    """The engine under test: a backend's name without its options."""
    return f"{spec.name}@{spec.python}" if spec.python else spec.name


def suspects(
    bench: Bench, spec: BackendSpec, case: Case, outcome: Outcome
) -> tuple[Suspect, ...]:
    """Everything wrong with one outcome, operation by operation, first culprit first."""
    if not isinstance(outcome, Values):
        return (_failed(bench, spec, case, outcome),)
    again = bench.run(case, spec)
    if not _same_values(outcome, again):
        return (_nondeterministic(spec, case),)
    oracle = Oracle(case.proto())
    tapped = observe(bench.pool, spec, case, outcome.arrays)
    rows = locate(oracle, tapped)
    found = tuple(
        _divergent(bench, spec, case, row, rows, tapped.method) for row in culprits(rows)
    )
    return found or (_not_located(bench, spec, case, oracle, outcome),)


def failure_of(outcome: Outcome) -> tuple[str, str]:
    """Kind and message of an outcome without values; the kinds are verdicts of the oracle."""
    match outcome:
        case Refused(message=message):
            return "refused", message
        case Crashed(how=how, stderr=stderr):
            return (
                "crashed",
                f"{how}: {stderr.strip().splitlines()[-1]}" if stderr.strip() else how,
            )
        case TimedOut(seconds=seconds):
            return "timed-out", f"no answer within {seconds:g} s"
        case Values():
            return "", ""


def without_numbers(text: str) -> str:
    """A message or pattern by its words: what stays the same when sizes and addresses change."""
    return re.sub(r"\s+", " ", re.sub(r"0x[0-9a-f]+|[-+]?\d[\d.]*", "n", text))[:160].strip()


def _divergent(
    bench: Bench,
    spec: BackendSpec,
    whole: Case,
    row: Judged,
    rows: tuple[Judged, ...],
    method: str,
) -> Suspect:
    model = whole.proto()
    fed = {each.tensor: each.array for each in rows if each.tensor not in row.unit.outputs}
    alone = cut(model, {**whole.inputs, **fed}, [row.tensor], tensor_types(model))
    profile = bench.profile(spec)
    matches: tuple[Match, ...] = ()
    if row.verdict.kind in ("divergent", "rounding-mode"):
        matches = diagnose(alone, {row.tensor: row.array}, {row.tensor: row.allowed}, profile)
        matches = confirmed(bench, spec, alone, matches)
    op = _op_of(row.unit, whole)
    cause = matches[0].fault if matches else _cause(bench, spec, whole, row.verdict.pattern)
    verdict = row.verdict
    return Suspect(
        spec=spec,
        signature=Signature(tested(spec), verdict.kind, op, row.unit.kind, cause),
        case=alone,
        whole=whole,
        unit=row.unit,
        steps=Steps(verdict.max_steps, verdict.wrong, verdict.total),
        pattern=verdict.pattern,
        matches=matches,
        located_by=method,
        message="",
        rows=rows,
    )


def _cause(bench: Bench, spec: BackendSpec, whole: Case, pattern: str) -> str:
    """What stands for the cause of values that no fault explains."""
    passes = passes_of(bench, spec, whole)
    return f"pass {'+'.join(passes[0])}" if passes else without_numbers(pattern)


def _not_located(
    bench: Bench, spec: BackendSpec, case: Case, oracle: Oracle, outcome: Values
) -> Suspect:
    """Wrong at the end, right in every operation that could be seen: blame the whole graph."""
    name, allowed = next(
        (name, each)
        for name, each in oracle.allowed(case.inputs).items()
        if judge(each, outcome.arrays.get(name)).is_wrong
    )
    parts = units(case.proto())
    unit = FusedOp(
        kind=parts[-1].kind,
        name=parts[-1].name,
        nodes=tuple(node for part in parts for node in part.nodes),
        inputs=tuple(case.inputs),
        outputs=(name,),
    )
    array = outcome.arrays.get(name)
    verdict = judge(allowed, array)
    if array is None:
        return _whole(spec, case, verdict.kind, verdict.pattern)
    row = Judged(name, unit, array, allowed, verdict)
    return _divergent(bench, spec, case, row, (row,), "whole graph")


def _failed(bench: Bench, spec: BackendSpec, case: Case, outcome: Outcome) -> Suspect:
    """A refusal, a crash or a hang: the shortest prefix of the graph that shows it too."""
    kind, message = failure_of(outcome)
    model = case.proto()
    types = tensor_types(model)
    for unit in units(model)[:-1]:
        part = cut(model, case.inputs, unit.outputs, types)
        if failure_of(bench.run(part, spec))[0] == kind:
            return _whole(spec, part, kind, message)
    return _whole(spec, case, kind, message)


def _nondeterministic(spec: BackendSpec, case: Case) -> Suspect:
    return _whole(spec, case, "nondeterministic", "two runs of the same case differ")


def _whole(spec: BackendSpec, case: Case, kind: str, message: str) -> Suspect:
    unit = units(case.proto())[-1]
    return Suspect(
        spec=spec,
        signature=Signature(tested(spec), kind, unit.kind, "", without_numbers(message)),
        case=case,
        whole=case,
        unit=unit,
        steps=Steps(0, 0, 0),
        pattern="",
        matches=(),
        located_by="prefixes",
        message=message,
        rows=(),
    )


def _same_values(first: Values, second: Outcome) -> bool:
    return isinstance(second, Values) and all(
        name in second.arrays
        and array.dtype == second.arrays[name].dtype
        and array.tobytes() == second.arrays[name].tobytes()
        for name, array in first.arrays.items()
    )


def _op_of(unit: FusedOp, case: Case) -> str:
    names = set(unit.nodes)
    nodes = [
        node for node in case.proto().graph.node if (node.name or node.output[0]) in names
    ]
    return main_op(nodes) if nodes else unit.kind
