"""Which passes of a backend cause a wrong answer: what must be off for the right one."""

from corpus.case import Case
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.crop import cropped
from harness.oracle import Oracle, Silent
from harness.outcome import Refused, Values
from harness.switches import minimal_sets
from harness.verdicts import is_right


def passes_of(bench: Bench, spec: BackendSpec, case: Case) -> tuple[tuple[str, ...], ...]:
    """The minimal sets of the backend's passes whose removal restores the answer.

    Of a large case a part is tried that is wrong too. Where there is no answer, any restores it: a
    wrong one is another bug.
    """
    names = bench.describe(spec).switches
    if not names:
        return ()
    part = cropped(bench, spec, case)
    case = part.case if part else case
    try:
        allowed = Oracle(case.proto()).allowed(case.inputs)
    except Silent:
        allowed = {}

    answers = isinstance(bench.run(case, spec), Values)

    def restores(off: frozenset[str]) -> bool:
        outcome = bench.run(case, without_passes(spec, off))
        if isinstance(outcome, Refused):
            return outcome.documented
        if not isinstance(outcome, Values):
            return False
        return not answers or is_right(outcome, allowed)

    return minimal_sets(names, restores)


def without_passes(spec: BackendSpec, off: frozenset[str]) -> BackendSpec:
    """The same backend with some of its passes turned off."""
    return spec.with_option("disable", "+".join(sorted(off)))
