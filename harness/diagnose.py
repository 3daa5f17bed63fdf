"""Diagnosing: the faults of our engine that reproduce a backend's wrong values bit for bit."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from corpus.case import Case
from corpus.finding import Match
from engine.faults import CATALOGUE, Fault, together
from harness.emulate import FUSED, Emulator
from harness.oracle import is_outside
from harness.tried import AllowedBy, Arrays, Tried, compare, has_reals

EXACT = "spec"
PARTNERS = 24  # faults that are tried two by two
LEADERS = 2  # the nearest of them, that are tried with every fault


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``matches`` reproduce every wrong element, ``near`` most of them; the best first."""

    matches: tuple[Match, ...]
    near: tuple[Match, ...]


def diagnose(
    case: Case,
    actual: Arrays,
    allowed: AllowedBy,
    profile: str,
    faults: Iterable[Fault] = CATALOGUE,
) -> Diagnosis:
    """The faults whose emulation, in the backend's own arithmetic, explains every wrong element.

    ``actual`` and ``allowed`` are by output of ``case``. One entry a fault, its best variant; the
    one that reproduces most elements first, among equals those of the operations as our engine fuses
    them before those of its single operators, in the catalogue's order. A fault explains nothing
    where the profile gives the same values without it. Where no fault explains the values, those
    that act fused are tried operator by operator, then two at once.
    """
    for found in diagnoses(case, actual, allowed, profile, faults):
        if found.matches:
            return found
    return found


def diagnoses(
    case: Case,
    actual: Arrays,
    allowed: AllowedBy,
    profile: str,
    faults: Iterable[Fault] = CATALOGUE,
) -> Iterator[Diagnosis]:
    """What `diagnose` tries in turn; the last one has the near misses. One at least."""
    if not is_any_outside(actual, allowed):
        yield Diagnosis((), ())
        return
    emulator = Emulator(case, profile)

    def trial(candidates: Iterable[tuple[Fault, str]]) -> list[Tried]:
        told = (_tried(emulator, actual, allowed, *each) for each in candidates)
        return [each for each in told if each]

    given = [each for each in faults if each.has_formula]
    tried = trial((each, FUSED) for each in filter(emulator.acts_fused, given))
    apart = trial(
        (each, emulator.ways(each)[0]) for each in filter(emulator.acts_apart, given)
    )
    yield Diagnosis(_explaining(emulator, actual, allowed, [*tried, *apart]), ())
    others = trial((each, way) for each in given for way in emulator.ways(each)[1:])
    yield Diagnosis(_explaining(emulator, actual, allowed, others), ())
    both = [each for each in trial((each, FUSED) for each in _pairs(tried)) if each.explains]
    matches = _explaining(emulator, actual, allowed, both)
    yield Diagnosis(matches, () if matches else _best(each.near_miss for each in tried))


def _explaining(
    emulator: Emulator, actual: Arrays, allowed: AllowedBy, tried: Iterable[Tried]
) -> tuple[Match, ...]:
    decided = (_decided(emulator, actual, allowed, each) for each in tried)
    return _best(each.match for each in decided if each and each.explains)


def _best(found: Iterable[Match | None]) -> tuple[Match, ...]:
    best: dict[str, Match] = {}
    for match in found:
        if match and (match.fault not in best or match.matched > best[match.fault].matched):
            best[match.fault] = match
    return tuple(sorted(best.values(), key=lambda each: -each.matched))


def explain(
    case: Case, actual: Arrays, allowed: AllowedBy, profile: str, fault: Fault
) -> Match | None:
    """How many elements ``fault`` reproduces; None unless all the wrong ones are among them.

    Where the profile alone gives these values, its own deviation must not pass for the fault's:
    then only what the fault does to exact arithmetic counts.
    """
    emulator = Emulator(case, profile)
    for way in emulator.ways(fault):
        found = decide(emulator, actual, allowed, fault, way)
        if found and found.explains:
            return found.match
    return None


def decide(
    emulator: Emulator, actual: Arrays, allowed: AllowedBy, fault: Fault, way: str
) -> Tried | None:
    """What decides about a fault in one of its ways; None where nothing is to be said of it."""
    found = _tried(emulator, actual, allowed, fault, way)
    return found and _decided(emulator, actual, allowed, found)


def _decided(
    emulator: Emulator, actual: Arrays, allowed: AllowedBy, found: Tried
) -> Tried | None:
    """What was found; where the profile alone explains the values, what the exact one gives with the fault."""
    fault, way = found.fault, found.way
    without = emulator.correct_beside(fault, way)
    own = compare(fault, way, actual, allowed, without, found.loose)
    if own is None or not own.explains:
        return found
    if emulator.profile == EXACT:
        return None
    return _tried(Emulator(emulator.case, EXACT), actual, allowed, fault, way)


def _tried(
    emulator: Emulator, actual: Arrays, allowed: AllowedBy, fault: Fault, way: str
) -> Tried | None:
    """What is to be said of a fault in a way; None where its outputs are others, or of other shapes."""
    emulated = emulator.outputs(fault, way)
    found = compare(fault, way, actual, allowed, emulated)
    if found is None or found.explains or not has_reals(actual):
        return found
    return compare(fault, way, actual, allowed, emulated, loose=True)


def _pairs(tried: Sequence[Tried]) -> list[Fault]:
    """Pairs of the faults that come nearest, each of which leaves the other's stages alone.

    Beside what explains most of it, the other may be far from all that the backend does.
    """
    nearest = sorted(tried, key=lambda each: each.distance)[:PARTNERS]
    leaders = nearest[:LEADERS]
    return [
        together(a.fault, b.fault)
        for a, b in combinations(tried, 2)
        if (a in nearest and b in nearest) or a in leaders or b in leaders
        if a.fault.id != b.fault.id and a.fault.stages.keys().isdisjoint(b.fault.stages)
    ]


def variants(match: Match) -> tuple[Fault, ...]:
    """The faults that a match may mean, the one that its title names first."""
    if "+" in match.fault:
        first, second = map(_of_id, match.fault.split("+"))
        both = (together(a, b) for a, b in product(first, second))
        return tuple(each for each in both if each.title == match.title)
    return tuple(sorted(_of_id(match.fault), key=lambda each: each.title != match.title))


def _of_id(name: str) -> list[Fault]:
    return [each for each in CATALOGUE if each.id == name]


def foresee(case: Case, allowed: AllowedBy, profile: str, fault: Fault) -> bool | None:
    """Whether the fault would make the case wrong.

    False where its trigger does not hold; None where it does, but the data hide the fault, and
    where our engine cannot tell.
    """
    emulator = Emulator(case, profile)
    if not emulator.acts(fault):
        return False if emulator.correct else None
    if emulator.unanswered(fault):
        return True
    wrong, right = emulator.outputs(fault), emulator.correct_beside(fault)
    outside = {
        name: is_outside(each, wrong[name])
        for name, each in allowed.items()
        if name in wrong and name in right and wrong[name].shape == each.low.shape
    }
    shows = any((each & (wrong[name] != right[name])).any() for name, each in outside.items())
    return True if shows else None


def is_triggered(case: Case, profile: str, fault: Fault) -> bool:
    """Whether the fault's trigger holds for some operation of the case, fused or not."""
    return Emulator(case, profile).acts(fault)


def is_any_outside(actual: Arrays, allowed: AllowedBy) -> bool:
    """Whether some element is not allowed; of outputs of other shapes nothing is said."""
    return any(
        array.shape == allowed[name].low.shape and is_outside(allowed[name], array).any()
        for name, array in actual.items()
        if name in allowed
    )
