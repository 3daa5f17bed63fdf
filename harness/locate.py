"""Locating: the first fused operation whose output leaves its allowed set.

Each operation is judged on the inputs that the backend itself produced, so one wrong operation is
blamed once and everything behind it is not.
"""

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass

import onnx

from corpus.case import Array, Case
from harness.cut import cut
from harness.oracle import Allowed, Oracle, Silent, Verdict, judge
from harness.outcome import FusedOp, Tapped


@dataclass(frozen=True, slots=True)
class Judged:
    """One tensor, the operation that produced it, and the oracle's local word on it.

    ``slack`` is the share of elements with more than one allowed value; ``allowed`` is kept where
    the verdict is wrong only: of a large model, the sets would fill the memory.
    """

    tensor: str
    unit: FusedOp
    array: Array
    verdict: Verdict
    slack: float
    allowed: Allowed | None


def locate(
    model: onnx.ModelProto,
    tapped: Tapped,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[Judged, ...]:
    """Every observed output of every operation, judged locally, in the order of the plan.

    Judging starts at codes, not at the reals that a DequantizeLinear made of them: what a kernel
    may do with a float bias depends on the scales; what is wrong itself is taken as it is. An
    operation that the oracle is silent about, or whose tensors were not observed, is left out, and
    what is made of a tensor of the wrong shape: its own is none that the model says.
    ``told`` hears how many tensors are judged.
    """
    oracle = Oracle(model)
    dequantized = {
        name
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
        for name in node.output
    }
    made = [(unit, tensor) for unit in tapped.plan for tensor in unit.outputs]
    rows = []
    misshapen: set[str] = set()
    for number, (unit, tensor) in enumerate(made, 1):
        is_behind = not misshapen.isdisjoint(unit.inputs)
        row = None if is_behind else _judge_locally(oracle, tapped, unit, tensor, dequantized)
        told(number, len(made))
        if is_behind or (row is not None and _has_other_shape(row)):
            misshapen.add(tensor)
        if row is not None:
            rows.append(row)
            if row.verdict.is_wrong:  # what comes behind it starts at what it made
                dequantized.discard(tensor)
    return tuple(rows)


def _has_other_shape(row: Judged) -> bool:
    return row.allowed is not None and row.array.shape != row.allowed.low.shape


def alone(case: Case, row: Judged, rows: Iterable[Judged]) -> Case:
    """The operation of a row as a case of its own, fed with what it was seen to read."""
    fed = {each.tensor: each.array for each in rows if each.tensor not in row.unit.outputs}
    made = row.unit.outputs if row.tensor in row.unit.outputs else (row.tensor,)
    return cut(case, made, fed=fed)


def culprits(rows: tuple[Judged, ...]) -> tuple[Judged, ...]:
    """The operations at fault, first one first."""
    return tuple(row for row in rows if row.verdict.is_wrong)


def _judge_locally(
    oracle: Oracle, tapped: Tapped, unit: FusedOp, tensor: str, dequantized: Set[str]
) -> Judged | None:
    array = tapped.arrays.get(tensor)
    if array is None:
        return None
    hidden = {*unit.outputs, *dequantized}
    known = {name: value for name, value in tapped.arrays.items() if name not in hidden}
    try:
        allowed = oracle.allowed(known, [tensor])[tensor]
    except Silent:
        return None
    verdict = judge(allowed, array)
    kept = allowed if verdict.is_wrong else None
    return Judged(tensor, unit, array, verdict, allowed.slack, kept)
