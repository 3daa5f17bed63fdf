"""Gathering what the pages show about a finding, all of it on the minimal case."""

from collections.abc import Mapping

import numpy as np

from corpus.case import Array, Case, node_id
from corpus.finding import Evidence, GraphNode, Sample, Steps, TensorRow
from generators.operators import conv as convolutions
from generators.operators import node as nodes
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.law import Law
from harness.oracle import Allowed, judge
from harness.outcome import FusedOp, Outcome, Tapped, Values
from harness.suspect import Suspect
from harness.verdicts import failure_of

SHOWN = 4096


def gather(
    bench: Bench,
    suspect: Suspect,
    case: Case,
    allowed: Mapping[str, Allowed],
    law: Law,
    versions: Mapping[str, str],
) -> Evidence:
    """The evidence for ``suspect`` on its minimal ``case``."""
    tensor = (
        suspect.unit.outputs[0]
        if suspect.unit.outputs[0] in allowed
        else next(iter(allowed), "")
    )
    judged = allowed.get(tensor)
    return Evidence(
        graph=_graph(bench, suspect, case),
        tensors=_rows(suspect),
        tensor=tensor,
        shape=judged.centre.shape if judged else (),
        heat=_heat(suspect, tensor),
        expected=_flat(judged.centre) if judged else (),
        low=_flat(judged.low) if judged else (),
        high=_flat(judged.high) if judged else (),
        samples=tuple(
            _sample(bench, spec, case, tensor, allowed) for spec in _everyone(bench, suspect)
        ),
        parameters=_parameters(case),
        counterexamples=law.counterexamples,
        versions=versions,
    )


def arrays_of(
    case: Case, allowed: Mapping[str, Allowed], outcome: Outcome
) -> dict[str, dict[str, Array]]:
    """What a folder holds, by role; codes in the type of the output, the bounds of reals in float64."""
    arrays: dict[str, dict[str, Array]] = {"input": dict(case.inputs)}
    if not isinstance(outcome, Values):
        return arrays
    bounds = {
        name: each.dtype if each.dtype.kind in "iu" else np.dtype(np.float64)
        for name, each in allowed.items()
    }
    with np.errstate(over="ignore"):  # of a float type, what it does not hold is infinite
        expected = {name: each.centre.astype(each.dtype) for name, each in allowed.items()}
    return {
        **arrays,
        "actual": dict(outcome.arrays),
        "expected": expected,
        "allowed_low": {name: each.low.astype(bounds[name]) for name, each in allowed.items()},
        "allowed_high": {
            name: each.high.astype(bounds[name]) for name, each in allowed.items()
        },
    }


def _parameters(case: Case) -> Mapping[str, int | bool | str]:
    """Those of a case that is a single operator, in the words of laws; of many words, those that say yes."""
    convolution = convolutions.describe(case)
    if convolution is not None:
        return convolutions.parameters(convolution)
    operator = nodes.describe(case)
    words = nodes.parameters(operator) if operator else {}
    return {
        name: value
        for name, value in words.items()
        if value is not False and value not in ("none", -1)
    }


def _everyone(bench: Bench, suspect: Suspect) -> tuple[BackendSpec, ...]:
    others = tuple(spec for spec in bench.specs if spec != suspect.spec)
    return (suspect.spec, *others)


def _graph(bench: Bench, suspect: Suspect, case: Case) -> tuple[GraphNode, ...]:
    tapped = bench.tap(case, suspect.spec)
    plan = tapped.plan if isinstance(tapped, Tapped) and tapped.plan else (suspect.unit,)
    unit_of = {node: unit for unit in plan for node in unit.nodes}
    blamed = set(suspect.unit.nodes)
    return tuple(
        GraphNode(
            id=node_id(node),
            op=node.op_type,
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            unit=_title(unit_of.get(node_id(node))),
            culprit=node_id(node) in blamed,
        )
        for node in case.proto().graph.node
    )


def _title(unit: FusedOp | None) -> str:
    return f"{unit.kind} {unit.name}" if unit else ""


def _rows(suspect: Suspect) -> tuple[TensorRow, ...]:
    return tuple(
        TensorRow(
            name=row.tensor,
            dtype=row.array.dtype.name,
            shape=row.array.shape,
            produced_by=_title(row.unit),
            verdict=row.verdict.kind,
            steps=Steps(row.verdict.max_steps, row.verdict.wrong, row.verdict.total),
        )
        for row in suspect.rows
    )


def _heat(suspect: Suspect, tensor: str) -> tuple[tuple[float, ...], ...]:
    """Distance in steps beyond the allowed set, channels x pixels, of the first image."""
    own = (each for each in suspect.rows if each.tensor in suspect.unit.outputs)
    row = next((each for each in own if each.allowed is not None), None)
    if row is None or row.array.ndim < 2 or row.array.size == 0:
        return ()
    if row.allowed is None or row.array.shape != row.allowed.centre.shape:
        return ()
    beyond = distance(row.allowed, row.array)[0]
    return tuple(
        tuple(float(v) for v in channel)
        for channel in beyond.reshape(len(beyond), -1)[:256, :1024]
    )


def distance(allowed: Allowed, actual: Array) -> Array:
    """How far each element lies beyond its allowed set, in steps; 0 inside; inf where not finite."""
    values = actual.astype(np.float64)
    with np.errstate(divide="ignore"):  # a channel that is multiplied by 0 has steps of 0
        beyond = np.maximum(np.maximum(allowed.low - values, values - allowed.high), 0)
        steps = np.divide(beyond, allowed.step, out=np.zeros_like(beyond), where=beyond > 0)
    return np.where(np.isfinite(values), steps, np.inf)


def _sample(
    bench: Bench, spec: BackendSpec, case: Case, tensor: str, allowed: Mapping[str, Allowed]
) -> Sample:
    outcome = bench.run(case, spec)
    version = bench.describe(spec).version
    if not isinstance(outcome, Values):
        kind, message = failure_of(outcome)
        return Sample(spec.text, version, kind, message, ())
    array = outcome.arrays.get(tensor)
    verdict = judge(allowed[tensor], array).kind if tensor in allowed else ""
    return Sample(
        spec.text, version, "values", verdict, _flat(array) if array is not None else ()
    )


def _flat(array: Array) -> tuple[float, ...]:
    values = array.reshape(-1)[:SHOWN]
    return tuple(values.tolist())
