"""Looking for the first case on which a fault shows; our own engine with the fault is the backend."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from corpus.case import Case
from engine import EngineError, Plan, Session, load
from engine.faults import Fault
from engine.ir import Graph
from harness.oracle import Allowed, Oracle, Silent
from harness.outcome import Outcome, Refused, Values
from harness.verdicts import is_suspicious, verdict_on

Draw = Callable[[int], Case]
"""The case of a number."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A case that both the oracle and our correct engine can say something about."""

    case: Case
    graph: Graph
    allowed: dict[str, Allowed]
    plan: Plan


@dataclass(frozen=True, slots=True)
class Caught:
    """The first case on which a fault shows: it is the ``cases``-th that was drawn.

    ``fusion`` is ``"off"`` where it does not show in an engine that fuses as ours does.
    """

    fault: Fault
    case: Case
    cases: int
    places: tuple[str, ...]
    fusion: str = "on"


def hunt(
    faults: Sequence[Fault], draw: Draw, most: int, fusion: str = "on"
) -> Iterator[Caught]:
    """Each fault as soon as it shows; those that never do in ``most`` cases do not come."""
    left = list(faults)
    for number, judged in judged_cases(draw, most, fusion) if left else ():
        for fault in [each for each in left if _may_show(each, judged.plan)]:
            session = Session(judged.graph, fusion=fusion, faults=(fault.key,))
            if is_wrong(judged, session):
                left.remove(fault)
                places = fault.places(session.plan())
                yield Caught(fault, judged.case, number + 1, places, fusion)
        if not left:
            return


def judged_cases(draw: Draw, most: int, fusion: str = "on") -> Iterator[tuple[int, Judged]]:
    """The cases with their numbers, planned so, without those that nobody can judge."""
    for number in range(most):
        case = draw(number)
        try:
            graph = load(case.model)
            plan = Session(graph, fusion=fusion).plan()
            allowed = dict(Oracle(case.proto()).allowed(case.inputs))
        except (Silent, EngineError):
            continue
        yield number, Judged(case, graph, allowed, plan)


def is_wrong(judged: Judged, session: Session) -> bool:
    """Whether the harness would call what the session answers wrong."""
    outcome = answer(judged, session)
    return is_suspicious(verdict_on(outcome, judged.allowed), outcome)


def answer(judged: Judged, session: Session) -> Outcome:
    """What the session makes of the case; where a fault makes it refuse, that it did."""
    try:
        return Values(session.run(judged.case.inputs))
    except EngineError as error:
        return Refused(str(error), documented=False)


def _may_show(fault: Fault, plan: Plan) -> bool:
    """False where no operation of the correct plan triggers it; a fault of rules has its own plan."""
    return fault.acts_on_rules or bool(fault.places(plan))
