"""Faults that leave a case without the answer it has: told by a shape, the words of a refusal, another answer."""

from collections.abc import Iterable

from corpus.case import Case
from corpus.finding import Match
from engine.errors import Unanswered
from engine.faults import CATALOGUE, Fault
from harness.emulate import Emulator
from harness.observe import CONVERSIONS, units
from harness.outcome import Crashed, Outcome, Refused, Values


def foretold(
    case: Case, outcome: Outcome, profile: str, faults: Iterable[Fault] = CATALOGUE
) -> tuple[Match, ...]:
    """The faults after which our engine has no answer either, in the same words, or one of the same shape."""
    emulator = Emulator(case, profile)
    return _matches(
        fault
        for fault in faults
        if (told := emulator.unanswered(fault)) and _is_seen(told, outcome)
    )


def may_read_beside(case: Case, profile: str, faults: Iterable[Fault]) -> bool:
    """Whether one of the faults that read beside their tensors acts on the case."""
    emulator = Emulator(case, profile)
    return any(each.reads_beside and emulator.acts(each) for each in faults)


def unsettled(case: Case, profile: str) -> tuple[Match, ...]:
    """The faults that make of the last operation of a case what lies in memory beside its tensors.

    What only dequantizes codes may be needed to see them.
    """
    emulator, (*before, last) = Emulator(case, profile), units(case.proto())
    seen = (*before[-1:], last) if last.kind in CONVERSIONS else (last,)
    nodes = {node for unit in seen for node in unit.nodes}
    return _matches(
        each
        for each in CATALOGUE
        if each.reads_beside and not nodes.isdisjoint(emulator.places(each))
    )


def _matches(faults: Iterable[Fault]) -> tuple[Match, ...]:
    """One each, of the first variant; there are no elements to compare."""
    first: dict[str, Match] = {}
    for fault in faults:
        first.setdefault(fault.id, Match(fault.id, fault.title, 0, 0))
    return tuple(first.values())


def _is_seen(told: Unanswered, outcome: Outcome) -> bool:
    match outcome:
        case Refused(message=message):
            return _words(message).endswith(_words(str(told)))
        case Crashed(how=how):
            return how == str(told)
        case Values(arrays=arrays):
            return any(each.shape == told.shape for each in arrays.values())
        case _:
            return False


def _words(message: str) -> str:
    return " ".join(message.split())
