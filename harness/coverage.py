"""Which fusions a backend really took in a case, by its own plan.

A fusion is an operation of the plan that stands for several nodes of the source, or runs one node
as something else: ``QLinearConv <- DequantizeLinear Conv Relu QuantizeLinear``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import onnx

from corpus.case import Case, node_id
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.outcome import FusedOp, Outcome, Tapped, Values

SAMPLED = 32  # of so many cases one is looked into: a plan costs as much as several runs


def fusions_of(bench: Bench, spec: BackendSpec, case: Case) -> tuple[str, ...]:
    """The names of the fusions in a backend's run of a case, sorted; none where it shows no plan."""
    if not bench.describe(spec).taps:
        return ()
    tapped = bench.tap(case, spec)
    return fusion_names(case.proto(), tapped.plan) if isinstance(tapped, Tapped) else ()


def fusion_names(model: onnx.ModelProto, plan: Sequence[FusedOp]) -> tuple[str, ...]:
    """The names of the fusions in a plan: its word, and the operators of the source it stands for.

    Operators are named in the order of the model, each once: two in a row are no other fusion.
    """
    operators = {node_id(node): node.op_type for node in model.graph.node}
    places = {name: place for place, name in enumerate(operators)}
    found = set()
    for step in plan:
        nodes = sorted({each for each in step.nodes if each in places}, key=places.__getitem__)
        ops = tuple(dict.fromkeys(operators[each] for each in nodes))
        if len(nodes) > 1 or (ops and ops != (step.kind,)):
            found.add(f"{step.kind} <- {' '.join(ops)}")
    return tuple(sorted(found))


def taken(
    bench: Bench, number: int, case: Case, outcomes: Mapping[BackendSpec, Outcome]
) -> dict[str, tuple[str, ...]]:
    """The fusions of every backend that ran a case, by the backend's name, if the case is sampled.

    Backends whose optimizations are switched off are not asked.
    """
    if number % SAMPLED:
        return {}
    ran = [
        spec
        for spec, outcome in outcomes.items()
        if isinstance(outcome, Values) and all(value != "off" for _, value in spec.options)
    ]
    found = {spec.text: fusions_of(bench, spec, case) for spec in ran}
    return {name: fusions for name, fusions in found.items() if fusions}


def counted(rows: Iterable[Mapping[str, tuple[str, ...]]]) -> dict[str, dict[str, int]]:
    """In how many of the rows each backend took each fusion."""
    totals: dict[str, Counter[str]] = {}
    for row in rows:
        for backend, names in row.items():
            totals.setdefault(backend, Counter()).update(names)
    return {backend: dict(names) for backend, names in totals.items()}
