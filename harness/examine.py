"""Examining one case on one backend: every tensor that can be seen, and everything wrong with it."""

from dataclasses import dataclass

from corpus.case import Case
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.locate import Judged, locate
from harness.observe import observe
from harness.oracle import Oracle
from harness.outcome import Refused, Values
from harness.suspect import Suspect, suspects
from harness.verdicts import failure_of, is_wrong, verdict_on


@dataclass(frozen=True, slots=True)
class Examined:
    """One backend's run of a case: the verdict on its outputs, its tensors, its suspects."""

    spec: BackendSpec
    version: str
    verdict: str
    message: str
    method: str
    rows: tuple[Judged, ...]
    suspects: tuple[Suspect, ...]


def examine(bench: Bench, spec: BackendSpec, case: Case) -> Examined:
    """Run the case and look at every tensor; raises ``Silent`` where the oracle cannot judge."""
    outcome = bench.run(case, spec)
    version = bench.describe(spec).version
    found = suspects(bench, spec, case, outcome) if is_wrong(case, outcome) else ()
    if not isinstance(outcome, Values):
        kind, message = failure_of(outcome)
        documented = isinstance(outcome, Refused) and outcome.documented
        word = "refused (documented)" if documented else kind
        return Examined(spec, version, word, message, "", (), found)
    tapped = observe(bench.pool, spec, case, outcome.arrays)
    rows = locate(case.proto(), tapped)
    allowed = Oracle(case.proto()).allowed(case.inputs)
    word = verdict_on(outcome, allowed)
    return Examined(spec, version, word, "", tapped.method, rows, found)
