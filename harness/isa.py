"""The instruction sets on which a wrong answer shows: the engine held to each, in its own process."""

from corpus.case import Case
from harness.backends import catalogue
from harness.backends.description import ISA
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.errors import BadInput
from harness.oracle import Oracle, Silent
from harness.verdicts import verdict_on


def sweep(bench: Bench, spec: BackendSpec, case: Case) -> dict[str, str]:
    """The verdict for each instruction set that the backend can be held to, the oldest first.

    Empty where it cannot be held to any, or is held to one already. A process that does not start
    with one says nothing about it.
    """
    if ISA in dict(spec.options):
        return {}
    try:
        allowed = Oracle(case.proto()).allowed(case.inputs)
    except Silent:
        return {}
    found = {}
    for level in catalogue.find(spec.name).isa:
        try:
            outcome = bench.run(case, spec.with_option(ISA, level))
        except BadInput:
            continue
        found[level] = verdict_on(outcome, allowed)
    return found
