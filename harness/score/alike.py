"""Whether two faults are numerically the same: no case tells them apart."""

import numpy as np

from corpus.finding import Match
from engine import Session
from engine.faults import CATALOGUE, Fault
from harness.outcome import Outcome, Values
from harness.score.hunt import Draw, Judged, answer, is_wrong, judged_cases

SHOWN = 24  # cases on which one of them shows, without a difference: they are the same
PATIENCE = 3_000


def fault_of(match: Match) -> Fault | None:
    """The variant of a fault that a diagnosis names."""
    return next((each for each in CATALOGUE if each.title == match.title), None)


def are_alike(first: Fault, second: Fault, draw: Draw, most: int) -> bool:
    """Whether both give the same values on ``SHOWN`` cases on which one of them shows."""
    shown = 0
    for _, judged in judged_cases(draw, min(most, PATIENCE)):
        sessions = [Session(judged.graph, faults=(each.key,)) for each in (first, second)]
        if any(is_wrong(judged, each) for each in sessions):
            if not _are_same(judged, sessions[0], sessions[1]):
                return False
            shown += 1
            if shown == SHOWN:
                return True
    return shown > 0


def _are_same(judged: Judged, first: Session, second: Session) -> bool:
    return _is_equal(answer(judged, first), answer(judged, second))


def _is_equal(first: Outcome, second: Outcome) -> bool:
    if not isinstance(first, Values) or not isinstance(second, Values):
        return first == second
    return all(
        np.array_equal(array, second.arrays[name]) for name, array in first.arrays.items()
    )
