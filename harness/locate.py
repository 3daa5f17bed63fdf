"""Locating: the first fused operation whose output leaves its allowed set.

Each operation is judged on the inputs that the backend itself produced, so one wrong operation is
blamed once and everything behind it is not.
"""

from dataclasses import dataclass

from corpus.case import Array
from harness.oracle import Allowed, Oracle, Silent, Verdict, judge
from harness.outcome import FusedOp, Tapped


@dataclass(frozen=True, slots=True)
class Judged:
    """One tensor, the operation that produced it, and the oracle's local word on it."""

    tensor: str
    unit: FusedOp
    array: Array
    allowed: Allowed
    verdict: Verdict


def locate(oracle: Oracle, tapped: Tapped) -> tuple[Judged, ...]:
    """Every observed output of every operation, judged locally, in the order of the plan.

    An operation that the oracle is silent about, or whose tensors were not observed, is left out.
    """
    return tuple(
        judged
        for unit in tapped.plan
        for tensor in unit.outputs
        if (judged := _judge_locally(oracle, tapped, unit, tensor)) is not None
    )


def culprits(rows: tuple[Judged, ...]) -> tuple[Judged, ...]:
    """The operations at fault, first one first."""
    return tuple(row for row in rows if row.verdict.is_wrong)


def _judge_locally(
    oracle: Oracle, tapped: Tapped, unit: FusedOp, tensor: str
) -> Judged | None:
    array = tapped.arrays.get(tensor)
    if array is None:
        return None
    known = {name: value for name, value in tapped.arrays.items() if name not in unit.outputs}
    try:
        allowed = oracle.allowed(known, [tensor])[tensor]
    except Silent:
        return None
    return Judged(tensor, unit, array, allowed, judge(allowed, array))
