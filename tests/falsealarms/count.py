"""Tie-rich cases of every operator through engines that are right; each wrong verdict is an alarm."""

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from corpus.case import Array, Case
from engine import EngineError, Session, load
from generators.graphs import FAMILIES, draw_case
from harness.backends.ort import LEVELS, Ort
from harness.diagnose import diagnose
from harness.observe import CONVERSIONS
from harness.oracle import Allowed, Oracle, Silent
from harness.outcome import Outcome, Refused, Values
from harness.verdicts import is_suspicious, verdict_on

INPUTS = 64
"""How many inputs each model is run on: reading it costs more than running it."""

ENGINE = ("engine", "engine:fusion=off")
ORT = tuple(f"ort:level={level}" for level in LEVELS)


@dataclass(slots=True)
class Counts:
    """Of one operator: elements judged, exact ties among them, and the alarms of each backend."""

    elements: Counter[str] = field(default_factory=Counter)
    ties: int = 0
    alarms: dict[str, list[str]] = field(default_factory=dict)


def count(
    elements: int,
    seconds: float,
    start: int,
    only: Sequence[str] = (),
    inputs: int = INPUTS,
) -> dict[str, Counts]:
    """Counts by operator, until the time is over; one with ``elements`` of our engine has enough."""
    found: dict[str, Counts] = {}
    ort = Ort()
    for case in _cases(start, time.monotonic() + seconds):
        operator = operator_of(case)
        counts = found.setdefault(operator, Counts())
        is_wanted = not only or operator in only
        if is_wanted and counts.elements[ENGINE[0]] < elements:
            _judge(case, counts, ort, inputs)
    return found


def _cases(start: int, end: float) -> Iterator[Case]:
    """Of every family in turn."""
    for number in itertools.count(start):
        for family in FAMILIES[:-1]:
            if time.monotonic() >= end:
                return
            yield draw_case(family, "tie-rich", number)


def operator_of(case: Case) -> str:
    """The first operator that does more than convert."""
    nodes = case.proto().graph.node
    named = (node.op_type for node in nodes if node.op_type not in CONVERSIONS)
    return str(next(named, nodes[0].op_type))


def _judge(case: Case, counts: Counts, ort: Ort, number: int) -> None:
    model = case.proto()
    rng = np.random.default_rng(1)
    try:
        oracle, sessions = Oracle(model), _sessions(case)
    except EngineError:
        return
    for inputs in [case.inputs, *(_shuffled(case.inputs, rng) for _ in range(number - 1))]:
        try:
            allowed = oracle.allowed(inputs)
        except Silent:
            return
        size = sum(each.centre.size for each in allowed.values())
        counts.ties += sum(_ties(each) for each in allowed.values())
        outcomes = _outcomes(case, inputs, sessions, ort)
        for backend, outcome in outcomes.items():
            word = verdict_on(outcome, allowed)
            if isinstance(outcome, Values):
                counts.elements[backend] += size
            if is_suspicious(word, outcome):
                cause = _cause(case.with_inputs(inputs), backend, outcome, allowed)
                counts.alarms.setdefault(backend, []).append(
                    f"{cause} ({case.origin}: {word})"
                )


def _cause(case: Case, backend: str, outcome: Outcome, allowed: Mapping[str, Allowed]) -> str:
    """The fault of our engine, in the backend's arithmetic, that gives the same values."""
    if not isinstance(outcome, Values):
        return "refused"
    profile = "ort" if backend in ORT else "spec"
    found = diagnose(case, outcome.arrays, allowed, profile)
    return found.matches[0].fault if found.matches else "unexplained"


def _sessions(case: Case) -> Mapping[str, Session]:
    graph = load(case.model)
    return {ENGINE[0]: Session(graph), ENGINE[1]: Session(graph, fusion="off")}


def _outcomes(
    case: Case, inputs: Mapping[str, Array], sessions: Mapping[str, Session], ort: Ort
) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for name, session in sessions.items():
        try:
            found[name] = Values(session.run(inputs))
        except EngineError as error:
            found[name] = Refused(str(error), documented=False)
    for level in LEVELS:
        try:
            found[f"ort:level={level}"] = Values(
                ort.run(case.model, dict(inputs), {"level": level})
            )
        except Exception as error:
            found[f"ort:level={level}"] = Refused(str(error)[:80], documented=True)
    return found


def _shuffled(inputs: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """The same values in other places, so that halves of a step stay what they are."""
    return {
        name: rng.permutation(array.reshape(-1)).reshape(array.shape)
        for name, array in inputs.items()
    }


def _ties(allowed: Allowed) -> int:
    if allowed.other is allowed.centre:
        return 0
    return int(np.count_nonzero(allowed.other != allowed.centre))
