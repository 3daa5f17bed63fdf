"""Diagnosing what an operation gets wrong only among its neighbours: faults of the whole graph."""

from collections.abc import Iterable

from corpus.case import Case
from corpus.finding import Match
from engine.faults import CATALOGUE, Fault
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.confirm import confirmed
from harness.diagnose import diagnose, variants
from harness.emulate import Emulator
from harness.oracle import Oracle, Silent
from harness.outcome import FusedOp, Values

MOST_NODES = 64  # of a graph that is emulated with every fault of rewrites
FEW_NODES = 8  # the same, with every fault


def diagnose_in_graph(
    bench: Bench, spec: BackendSpec, whole: Case, unit: FusedOp, likely: Iterable[Fault] = ()
) -> tuple[Match, ...]:
    """The faults of rewrites that explain the outputs of the whole graph and show in ``unit``.

    Where none of them does, those of kernels too, of what the backend makes of several operations at
    once: in a small graph all, in a larger one those that are ``likely``.
    """
    model = whole.proto()
    if len(model.graph.node) > MOST_NODES:
        return ()
    outcome, profile = bench.run(whole, spec), bench.profile(spec)
    try:
        allowed = Oracle(model).allowed(whole.inputs)
    except Silent:
        return ()
    if not isinstance(outcome, Values):
        return ()
    emulator = Emulator(whole, profile)
    few = CATALOGUE if len(model.graph.node) <= FEW_NODES else likely
    rewrites = [each for each in CATALOGUE if each.acts_on_rules]
    kernels = [each for each in few if not each.acts_on_rules]
    for faults in (rewrites, kernels):
        found = diagnose(whole, outcome.arrays, allowed, profile, faults).matches
        sure = confirmed(bench, spec, whole, found)
        if here := tuple(each for each in sure if _is_in(emulator, each, unit)):
            return here
    return ()


def _is_in(emulator: Emulator, match: Match, unit: FusedOp) -> bool:
    """Whether some variant of the fault shows in the operation."""
    nodes = set(unit.nodes)
    places = (emulator.places(each) for each in variants(match))
    return any(nodes.intersection(each) for each in places)
