"""Which passes of a backend cause a wrong answer: what must be off for the right one."""

from corpus.case import Case
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.switches import minimal_sets
from harness.verdicts import is_wrong


def passes_of(bench: Bench, spec: BackendSpec, case: Case) -> tuple[tuple[str, ...], ...]:
    """The minimal sets of the backend's passes whose removal restores the answer."""
    names = bench.describe(spec).switches

    def restores(off: frozenset[str]) -> bool:
        return not is_wrong(case, bench.run(case, without_passes(spec, off)))

    return minimal_sets(names, restores) if names else ()


def without_passes(spec: BackendSpec, off: frozenset[str]) -> BackendSpec:
    """The same backend with some of its passes turned off."""
    return spec.with_option("disable", "+".join(sorted(off)))
