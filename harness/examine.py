"""Examining one case on one backend: every tensor that can be seen, and everything wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from corpus.case import Case
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.borne_out import borne_out
from harness.locate import Judged, locate
from harness.observe import observe
from harness.oracle import Allowed
from harness.outcome import Outcome, Refused, Values
from harness.suspect import Suspect, blamed, suspects
from harness.verdicts import failure_of, is_suspicious, verdict_on, worst

Told = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is, and how much there is."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One backend's run of a case: the verdict on it, its tensors, its suspects.

    The verdict is the worst of those on the outputs and on every tensor; ``not judged`` where
    there is none.
    """

    spec: BackendSpec
    version: str
    verdict: str
    message: str
    method: str
    rows: tuple[Judged, ...]
    suspects: tuple[Suspect, ...]


def examine(
    bench: Bench,
    spec: BackendSpec,
    case: Case,
    allowed: Mapping[str, Allowed],
    told: Told = lambda what, done, of: None,
) -> Examined:
    """Run the case and judge every tensor on what the backend itself fed its operation.

    ``allowed`` is for the outputs, empty where the oracle has no word on them. Through many layers
    the allowed sets grow until they say nothing; each operation by itself is still judged.
    """
    told("runs", 0, 1)
    outcome = bench.run(case, spec)
    version = bench.describe(spec).version
    if not isinstance(outcome, Values):
        return _failed(bench, spec, case, outcome, version)
    told("is observed", 0, 1)
    tapped = observe(bench.pool, spec, case, outcome.arrays)
    seen = locate(case.proto(), tapped, lambda done, of: told("tensors judged", done, of))
    rows = borne_out(bench, spec, case, seen, tapped.method)
    found = blamed(
        bench,
        spec,
        case,
        outcome,
        rows,
        tapped.method,
        lambda: is_suspicious(verdict_on(outcome, allowed), outcome),
        lambda done, of: told("culprits looked into", done, of),
    )
    words = {str(each.verdict.kind) for each in rows}
    words |= {verdict_on(outcome, allowed)} if allowed else set()
    word = worst(words) if words else "not judged"
    return Examined(spec, version, word, "", tapped.method, rows, found)


def _failed(
    bench: Bench, spec: BackendSpec, case: Case, outcome: Outcome, version: str
) -> Examined:
    kind, message = failure_of(outcome)
    if isinstance(outcome, Refused) and outcome.documented:
        return Examined(spec, version, "refused (documented)", message, "", (), ())
    found = suspects(bench, spec, case, outcome)
    return Examined(spec, version, kind, message, "", (), found)
