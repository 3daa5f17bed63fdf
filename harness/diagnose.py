"""Diagnosing: the faults of our engine that reproduce a backend's wrong values bit for bit."""

from collections.abc import Iterable, Mapping

import numpy as np

from corpus.case import Array, Case
from corpus.finding import Match
from engine import EngineError, Session
from engine.faults import CATALOGUE, Fault
from harness.oracle import Allowed

EXACT = "spec"


def diagnose(
    case: Case,
    actual: Mapping[str, Array],
    allowed: Mapping[str, Allowed],
    profile: str,
    faults: Iterable[Fault] = CATALOGUE,
) -> tuple[Match, ...]:
    """The faults whose emulation, in the backend's own arithmetic, explains every wrong element.

    ``actual`` and ``allowed`` are by output of ``case``. One entry a fault, its best variant; the
    one that reproduces most elements first, the catalogue's order among equals. A fault explains
    nothing where the profile gives the same values without it.
    """
    best: dict[str, Match] = {}
    for fault in faults:
        match = explain(case, actual, allowed, profile, fault)
        if match and (fault.id not in best or match.matched > best[fault.id].matched):
            best[fault.id] = match
    return tuple(sorted(best.values(), key=lambda each: -each.matched))


def explain(
    case: Case,
    actual: Mapping[str, Array],
    allowed: Mapping[str, Allowed],
    profile: str,
    fault: Fault,
) -> Match | None:
    """How many elements ``fault`` reproduces; None unless all the wrong ones are among them.

    Where the profile alone gives these values, its own deviation must not pass for the fault's:
    then only what the fault does to exact arithmetic counts.
    """
    if not _is_any_outside(actual, allowed):
        return None
    counts = _match(actual, allowed, emulate(case, profile, fault))
    if counts and _match(actual, allowed, emulate(case, profile, None)):
        exact = emulate(case, EXACT, fault) if profile != EXACT else {}
        counts = _match(actual, allowed, exact)
    return Match(fault.id, fault.title, *counts) if counts else None


def foresee(
    case: Case, allowed: Mapping[str, Allowed], profile: str, fault: Fault
) -> bool | None:
    """Whether the fault would make the case wrong.

    False where its trigger does not hold; None where it does, but the data hide the fault, and
    where our engine cannot tell.
    """
    try:
        session = Session(case.model, profile=profile, faults=(fault.key,))
        if not fault.places(session.plan()):
            return False
        wrong = session.run(case.inputs)
    except EngineError:
        return None
    outside = {
        name: is_outside(each, wrong[name])
        for name, each in allowed.items()
        if wrong[name].shape == each.low.shape
    }
    if not any(each.any() for each in outside.values()):
        return None
    right = emulate(case, profile, None)
    shows = any((each & (wrong[name] != right[name])).any() for name, each in outside.items())
    return True if shows else None


def is_triggered(case: Case, profile: str, fault: Fault) -> bool:
    """Whether the fault's trigger holds for some operation of the case, as it is fused."""
    try:
        session = Session(case.model, profile=profile, faults=(fault.key,))
        return bool(fault.places(session.plan()))
    except EngineError:
        return False


def _is_any_outside(actual: Mapping[str, Array], allowed: Mapping[str, Allowed]) -> bool:
    return any(
        array.shape == allowed[name].low.shape and is_outside(allowed[name], array).any()
        for name, array in actual.items()
        if name in allowed
    )


def _match(
    actual: Mapping[str, Array], allowed: Mapping[str, Allowed], emulated: Mapping[str, Array]
) -> tuple[int, int] | None:
    """Elements alike and all elements; None unless all wrong ones are alike, and some are wrong."""
    matched = total = wrong = 0
    for name, array in actual.items():
        if name not in allowed or name not in emulated:
            return None
        if emulated[name].shape != array.shape:
            return None
        same = emulated[name] == array
        outside = is_outside(allowed[name], array)
        if not same[outside].all():
            return None
        matched, total = matched + int(same.sum()), total + same.size
        wrong += int(outside.sum())
    return (matched, total) if wrong else None


def emulate(case: Case, profile: str, fault: Fault | None) -> dict[str, Array]:
    """The outputs of our engine, with a fault; empty where it cannot run the case."""
    faults = (fault.key,) if fault else ()
    try:
        return Session(case.model, profile=profile, faults=faults).run(case.inputs)
    except EngineError:
        return {}


def is_outside(allowed: Allowed, actual: Array) -> Array:
    """Which elements are not in their allowed set (NaN never is)."""
    values = actual.astype(np.float64) if actual.dtype.kind == "f" else actual.astype(np.int64)
    return ~((values >= allowed.low) & (values <= allowed.high))
