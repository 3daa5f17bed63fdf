"""From a fault that shows to what the harness makes of it: where, and which one it says it is."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from corpus.finding import Match
from engine.faults import Decoy, Fault
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.investigate import shrink
from harness.score.alike import are_alike, fault_of
from harness.score.decoys import Lured, lure
from harness.score.hunt import Caught, Draw, hunt
from harness.suspect import Suspect, suspects

RIGHT, CLASS, AMBIGUOUS, WRONG, NONE = "right", "class", "ambiguous", "wrong", "none"


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of one fault.

    ``cases`` is how many were drawn until it showed, None if it never did. ``located``: ``right``
    where every suspect is an operation in which the fault can show, else ``wrong``, or ``none``.
    ``diagnosed``: ``right`` where the finding names the fault first, ``class`` where it names one
    that gives the same values on all cases, ``ambiguous`` where the fault is named, but not first,
    else ``wrong`` or ``none``; ``named`` are the ids it names. ``seconds`` from the wrong outcome
    to the shrunk suspect; ``fusion`` as in `harness.score.hunt.Caught`.
    """

    fault: Fault
    cases: int | None
    located: str
    diagnosed: str
    nodes: tuple[str, ...]
    named: tuple[str, ...]
    seconds: float
    fusion: str = "on"


@dataclass(frozen=True, slots=True)
class Score:
    """All faults in the order of the catalogue, and all decoys."""

    faults: tuple[Scored, ...]
    decoys: tuple[Lured, ...]

    @property
    def detected(self) -> int:
        """Faults that some case showed."""
        return sum(each.cases is not None for each in self.faults)

    @property
    def located(self) -> int:
        """Faults that were blamed on the right operation."""
        return sum(each.located == RIGHT for each in self.faults)

    @property
    def diagnosed(self) -> int:
        """Faults that were named, or one that is numerically the same."""
        return sum(each.diagnosed in (RIGHT, CLASS) for each in self.faults)

    @property
    def flagged(self) -> int:
        """Decoys that some case flagged."""
        return sum(each.flagged > 0 for each in self.decoys)


def score(
    bench: Bench,
    faults: Sequence[Fault],
    decoys: Sequence[Decoy],
    draw: Draw,
    most: int,
    told: Callable[[Scored | Lured], None],
) -> Score:
    """Hunt every fault, look into what is caught as a campaign would, and lure with every decoy.

    ``told`` hears of each result as it comes.
    """
    found: dict[str, Scored] = {}
    for caught in _caught(faults, draw, most):
        found[caught.fault.key] = each = look_into(bench, caught, draw, most)
        told(each)
    for fault in faults:
        if fault.key not in found:
            found[fault.key] = missed = Scored(fault, None, NONE, NONE, (), (), 0.0)
            told(missed)
    lured = tuple(_told(lure(decoys, draw, most), told))
    return Score(tuple(found[each.key] for each in faults), lured)


def _caught(faults: Sequence[Fault], draw: Draw, most: int) -> Iterator[Caught]:
    """Each fault where it shows: the ones of engines that fuse less than ours, or otherwise, without fusion."""
    shown: set[str] = set()
    for caught in hunt(faults, draw, most):
        shown.add(caught.fault.key)
        yield caught
    yield from hunt([each for each in faults if each.key not in shown], draw, most, "off")


def _told(lured: Iterator[Lured], told: Callable[[Scored | Lured], None]) -> Iterator[Lured]:
    for each in lured:
        told(each)
        yield each


def look_into(bench: Bench, caught: Caught, draw: Draw, most: int) -> Scored:
    """Locate, shrink and diagnose what a worker with the fault answers on the caught case."""
    start = time.monotonic()
    unfused = (("fusion", "off"),) if caught.fusion == "off" else ()
    spec = BackendSpec("engine", (("fault", caught.fault.key), *unfused))
    outcome = bench.run(caught.case, spec)
    found = suspects(bench, spec, caught.case, outcome)
    small = [shrink(bench, each) for each in found[:1]]
    seconds = time.monotonic() - start
    matches = small[0].matches if small else ()
    return Scored(
        caught.fault,
        caught.cases,
        _located(found, caught.places),
        _diagnosed(caught.fault, matches, draw, most),
        tuple(node for each in found for node in each.unit.nodes),
        tuple(each.fault for each in matches),
        seconds,
        caught.fusion,
    )


def _located(found: Sequence[Suspect], places: Sequence[str]) -> str:
    if not found:
        return NONE
    inside = (not set(each.unit.nodes).isdisjoint(places) for each in found)
    return RIGHT if all(inside) else WRONG


def _diagnosed(fault: Fault, matches: Sequence[Match], draw: Draw, most: int) -> str:
    if not matches:
        return NONE
    if matches[0].fault == fault.id:
        return RIGHT
    first = fault_of(matches[0])
    if first is not None and are_alike(fault, first, draw, most):
        return CLASS
    return AMBIGUOUS if fault.id in {each.fault for each in matches} else WRONG
