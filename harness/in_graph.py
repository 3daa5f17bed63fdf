"""Diagnosing what an operation gets wrong only among its neighbours: faults of the whole graph."""

from collections.abc import Iterable

import onnx

from corpus.case import Case, node_id
from corpus.finding import Match
from engine.faults import CATALOGUE, Fault
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.confirm import confirmed
from harness.diagnose import diagnose, variants
from harness.emulate import Emulator
from harness.observe import units
from harness.oracle import Oracle, Silent
from harness.outcome import FusedOp, Values

MOST_NODES = 64  # of a graph that is emulated with every fault of rewrites
FEW_NODES = 8  # the same, with every fault


def diagnose_in_graph(
    bench: Bench, spec: BackendSpec, whole: Case, unit: FusedOp, likely: Iterable[Fault] = ()
) -> tuple[Match, ...]:
    """The faults of rewrites that explain the outputs of the whole graph and show in ``unit``, or just before it.

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
        for nodes in (set(unit.nodes), _before(model, unit)):
            if here := tuple(each for each in sure if _is_among(emulator, each, nodes)):
                return here
    return ()


def _before(model: onnx.ModelProto, unit: FusedOp) -> set[str]:
    """The nodes of the operations it reads from: codes between the two may be right where they can be seen."""
    read = {
        name for node in model.graph.node if node_id(node) in unit.nodes for name in node.input
    }
    return {
        node for each in units(model) if read.intersection(each.outputs) for node in each.nodes
    }


def _is_among(emulator: Emulator, match: Match, nodes: set[str]) -> bool:
    """Whether some variant of the fault shows in the nodes."""
    places = (emulator.places(each) for each in variants(match))
    return any(nodes.intersection(each) for each in places)
