"""Tie-rich cases of every operator through engines that are right; each wrong verdict is an alarm."""

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from corpus.case import Array, Case
from engine import EngineError, Session, load
from engine.ir import Graph
from generators.graphs import FAMILIES, draw_case
from harness.backends.ort import LEVELS, Ort
from harness.diagnose import diagnose
from harness.observe import CONVERSIONS
from harness.oracle import Allowed, Oracle, Silent
from harness.outcome import Outcome, Refused, Values
from harness.verdicts import is_suspicious, verdict_on
from tests.falsealarms.enlarge import enlargements, shuffled

LONGER = 16
"""How many times as long the inputs are made, where the model allows it."""
OF_A_CASE = 20_000
"""Elements after which another case says more than the same one."""
MOST_INPUTS = 64
"""How many inputs a model is run on at most: reading it costs more than running it."""

ENGINE = ("engine", "engine:fusion=off")
ORT = tuple(f"ort:level={level}" for level in LEVELS)
UNEXPLAINED = "unexplained"

Allowances = Mapping[str, Allowed]


@dataclass(slots=True)
class Counts:
    """Of one operator: cases, elements judged, exact ties among them, alarms by backend and cause.

    ``first`` has the first case of each alarm.
    """

    cases: int = 0
    elements: Counter[str] = field(default_factory=Counter)
    ties: int = 0
    alarms: dict[str, Counter[str]] = field(default_factory=dict)
    first: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, backend: str, cause: str, where: str) -> None:
        """One more alarm."""
        self.alarms.setdefault(backend, Counter())[cause] += 1
        self.first.setdefault((backend, cause), where)


def count(
    elements: int,
    seconds: float,
    start: int,
    only: Sequence[str] = (),
    inputs: int = MOST_INPUTS,
) -> dict[str, Counts]:
    """Counts by operator, until all have ``elements`` of every backend or the time is over.

    Refusals are no elements: an operator that onnxruntime never runs has none of its levels'.
    """
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


@dataclass(slots=True)
class _Model:
    """What judges and runs one model, and the causes of the alarms that it has raised."""

    case: Case
    graph: Graph
    oracle: Oracle
    sessions: Mapping[str, Session]
    causes: dict[tuple[str, str], Session] = field(default_factory=dict)

    def cause(self, case: Case, profile: str, outcome: Values, allowed: Allowances) -> str:
        """The fault of our engine, in the backend's arithmetic, that gives the same values."""
        for (key, of), session in self.causes.items():
            if of == profile and _same(session.run(case.inputs), outcome.arrays):
                return key
        found = diagnose(case, outcome.arrays, allowed, profile)
        if not found.matches:
            return f"nearly {found.near[0].fault}" if found.near else UNEXPLAINED
        cause = found.matches[0].fault
        self.causes[cause, profile] = Session(
            self.graph, profile=profile, faults=cause.split("+")
        )
        return cause


def _same(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> bool:
    return all(np.array_equal(ours[name], array) for name, array in theirs.items())


def _read(case: Case, rng: np.random.Generator) -> _Model | None:
    """The largest form of the case that the oracle judges and our engine runs."""
    for each in enlargements(case, LONGER, rng):
        try:
            graph = load(each.model)
            sessions = {ENGINE[0]: Session(graph), ENGINE[1]: Session(graph, fusion="off")}
            model = _Model(each, graph, Oracle(each.proto()), sessions)
            model.oracle.allowed(each.inputs)
            sessions[ENGINE[0]].run(each.inputs)
        except (EngineError, Silent):
            continue
        return model
    return None


def _judge(case: Case, counts: Counts, ort: Ort, most: int) -> None:
    rng = np.random.default_rng(1)
    model = _read(case, rng)
    if model is None:
        return
    counts.cases += 1
    seen = 0
    inputs: Mapping[str, Array] = model.case.inputs
    for _ in range(most):
        allowed = model.oracle.allowed(inputs)
        counts.ties += sum(_ties(each) for each in allowed.values())
        size = sum(each.centre.size for each in allowed.values())
        seen += size
        for backend, outcome in _outcomes(model, inputs, ort).items():
            if isinstance(outcome, Values):
                counts.elements[backend] += size
            word = verdict_on(outcome, allowed)
            if is_suspicious(word, outcome):
                cause = _cause(model, inputs, backend, outcome, allowed)
                counts.add(backend, cause, f"{case.origin}: {word}")
        if seen >= OF_A_CASE:
            return
        inputs = shuffled(model.case.inputs, rng)


def _cause(
    model: _Model,
    inputs: Mapping[str, Array],
    backend: str,
    outcome: Outcome,
    allowed: Allowances,
) -> str:
    if not isinstance(outcome, Values):
        return "refused"
    profile = "ort" if backend in ORT else "spec"
    return model.cause(model.case.with_inputs(inputs), profile, outcome, allowed)


def _outcomes(model: _Model, inputs: Mapping[str, Array], ort: Ort) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for name, session in model.sessions.items():
        try:
            found[name] = Values(session.run(inputs))
        except EngineError as error:
            found[name] = Refused(str(error), documented=False)
    for level in LEVELS:
        try:
            given = ort.run(model.case.model, dict(inputs), {"level": level})
            found[f"ort:level={level}"] = Values(given)
        except Exception as error:
            found[f"ort:level={level}"] = Refused(str(error)[:80], documented=True)
    return found


def _ties(allowed: Allowed) -> int:
    if allowed.other is allowed.centre:
        return 0
    return int(np.count_nonzero(allowed.other != allowed.centre))
