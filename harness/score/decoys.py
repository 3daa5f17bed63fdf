"""Whether decoys are flagged: what looks like a fault and is none must be called right."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine import Session
from engine.faults import Decoy
from harness.score.hunt import Draw, Judged, is_wrong, judged_cases

ENOUGH = 300  # cases that have a decoy


@dataclass(frozen=True, slots=True)
class Lured:
    """On how many of the cases that have a decoy the harness flagged it."""

    decoy: Decoy
    cases: int
    flagged: int


def lure(decoys: Sequence[Decoy], draw: Draw, most: int) -> Iterator[Lured]:
    """Each decoy on the cases among ``most`` that have it, until there are ``ENOUGH`` of each."""
    cases: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    for _, judged in judged_cases(draw, most):
        left = [each for each in decoys if cases[each.key] < ENOUGH]
        for decoy in left:
            if decoy.happens(judged.plan):
                cases[decoy.key] += 1
                flagged[decoy.key] += _is_flagged(decoy, judged)
        if not left:
            break
    for decoy in decoys:
        yield Lured(decoy, cases[decoy.key], flagged[decoy.key])


def _is_flagged(decoy: Decoy, judged: Judged) -> bool:
    faults = () if decoy.change is None else (decoy.change.key,)
    return is_wrong(judged, Session(judged.graph, faults=faults))
