"""Telling apart faults that give the same values on one case: fresh data, then other parameters.

Where results saturate, or where a convolution is too small to tell, several faults look alike. The
true one goes on predicting the backend when data and parameters change; the others do not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, islice
from random import Random

from corpus.case import Array, Case
from corpus.finding import Match
from engine.faults import Fault
from generators.operators.conv import ConvSpec, build, describe
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.diagnose import decide, is_any_outside, variants
from harness.emulate import Emulator
from harness.law.neighbours import Neighbourhood, fresh_data
from harness.oracle import Allowed, Oracle, Silent, is_outside
from harness.other_data import other_data
from harness.outcome import Values, is_same
from harness.requantized import with_other_parameters, with_other_zero_points
from harness.tried import Tried
from harness.verdict_class import TIES
from harness.verdicts import is_suspicious, verdict_on

NEIGHBOURS = 100  # drawn at most; those on which the candidates agree are not run
CONTESTED = 4  # that tell each pair of candidates apart
REFUTED = 0.5  # of the best one's neighbours: who foretells fewer only looked alike
HELD = 0.5  # of what the backend gets wrong on fresh data, and of neighbours: how much must be explained
ENOUGH_FOR_TWO = 3  # fresh draws that two faults at once must explain
CONTESTED_BY_TWO = 12  # neighbours that they must foretell most of

Emulated = Mapping[str, Array]


def confirmed(
    bench: Bench, spec: BackendSpec, case: Case, matches: Sequence[Match], kind: str = ""
) -> tuple[Match, ...]:
    """The matches that hold on fresh data too, those first that predict the neighbours best.

    A variant must explain most of the fresh data that the backend gets wrong; of a ``kind`` only
    those count that are wrong in this way, for an engine may have other bugs. Those left are tried
    where they differ from each other: on neighbours for which they foretell different values that are
    not all right. Those of a convolution are others of any kind, then, as those of all graphs, the
    same one with other scales and zero points, for it may be what is rare in others that shows the
    fault. Of a fault's variants the best one stays.
    """
    if not matches:
        return ()
    conv = describe(case)
    profile = bench.profile(spec)
    found = {each.fault: each for each in matches}
    emulator = Emulator(case, profile)
    candidates = [
        Candidate(fault, way)
        for each in matches
        for fault in variants(each)
        if emulator.acts(fault)
        for way in emulator.ways(fault)
    ]

    def near() -> Iterator[Case]:
        return chain(_neighbours(conv) if conv else (), with_other_parameters(case))

    held = [
        each
        for each in _holding(bench, spec, other_data(case), candidates, kind)
        if not each.fault.parts or _foretells(bench, spec, near(), each, profile)
    ]
    of_ties = {each.fault.id for each in held} <= {*TIES}
    wide = chain(near(), with_other_zero_points(case) if of_ties else ())
    scores = _scores(bench, spec, wide, held, profile) if len(held) > 1 else {}
    ranked = sorted(held, key=lambda each: scores.get(each, (0, 0)), reverse=True)
    top = max((foretold for foretold, _ in scores.values()), default=0)
    best: dict[str, Match] = {}
    for each in (each for each in ranked if scores.get(each, (0, 0))[0] >= REFUTED * top):
        fault = each.fault
        best.setdefault(fault.id, replace(found[fault.id], title=fault.title))
    return tuple(best.values())


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A fault, and the way of the emulator that is told of it: a backend has but one."""

    fault: Fault
    way: str

    def outputs(self, emulator: Emulator) -> Emulated:
        """What it foretells of a case."""
        return emulator.outputs(self.fault, self.way)


def _holding(
    bench: Bench,
    spec: BackendSpec,
    cases: Sequence[Case],
    candidates: Sequence[Candidate],
    kind: str,
) -> list[Candidate]:
    """The candidates that explain enough of what is wrong, and seldom break what is right.

    Those come first that foretell most of the cases, right ones too: the backend computes them all
    in one way. Then those that foretell most values.
    """
    wrong = 0
    tallies = {each: _Tally() for each in candidates}
    for case, outcomes in zip(cases, bench.pool.run(cases, [spec]), strict=True):
        outcome = outcomes[spec.text]
        allowed = _allowed(case)
        word = verdict_on(outcome, allowed)
        counts = word == kind if kind else is_suspicious(word, outcome)
        if not isinstance(outcome, Values):
            continue
        wrong += counts
        emulator = Emulator(case, bench.profile(spec))
        right = bool(allowed) and not is_suspicious(word, outcome)
        for each, tally in tallies.items():
            told = _agrees(each.outputs(emulator), outcome, allowed)
            tally.foretold += told
            tally.refuted += right and not told
            if counts:
                tally.add(decide(emulator, outcome.arrays, allowed, each.fault, each.way))
    held = [each for each, tally in tallies.items() if _holds(each.fault, tally, wrong)]
    return sorted(held, key=lambda each: (-tallies[each].foretold, -tallies[each].matched))


@dataclass(slots=True)
class _Tally:
    """What a candidate makes of fresh data.

    Cases that it ``foretold``; right ones that ``refuted`` it, for they would be wrong; of the
    wrong ones those it ``explained``, with how many elements ``matched``; the ``clean`` ones of
    them break nothing that is right, those ``contradicted`` have all that is wrong and do.
    """

    foretold: int = 0
    refuted: int = 0
    explained: int = 0
    matched: int = 0
    clean: int = 0
    contradicted: int = 0

    def add(self, told: Tried | None) -> None:
        """Another case that the backend gets wrong."""
        if told and told.explains:
            self.explained += 1
            self.matched += told.alike
            self.clean += told.broken == 0
        self.contradicted += told is not None and told.broken > 0


def _holds(fault: Fault, tally: _Tally, wrong: int) -> bool:
    """Two faults at once fit a few values easily: they must explain all of the fresh data.

    Where nothing is wrong, none may say that something is.
    """
    if not wrong:
        return not (fault.parts or tally.refuted)
    if tally.clean <= tally.contradicted:
        return False
    if fault.parts:
        return tally.explained == wrong >= ENOUGH_FOR_TWO
    return tally.explained >= HELD * wrong


def _foretells(
    bench: Bench, spec: BackendSpec, near: Iterable[Case], pair: Candidate, profile: str
) -> bool:
    """Whether most neighbours in which two faults at once say that something is wrong are wrong like that.

    Under the same parameters they may come to what another one does.
    """
    made = ((case, pair.outputs(Emulator(case, profile)), _allowed(case)) for case in near)
    told = list(islice((each for each in made if is_any_outside(*each[1:])), CONTESTED_BY_TWO))
    outcomes = bench.pool.run([case for case, *_ in told], [spec])
    answered = [
        _agrees(emulated, outcome, allowed)
        for (_, emulated, allowed), each in zip(told, outcomes, strict=True)
        if isinstance(outcome := each[spec.text], Values)
    ]
    return sum(answered) >= HELD * len(answered)


def _scores(
    bench: Bench,
    spec: BackendSpec,
    drawn: Iterable[Case],
    candidates: Sequence[Candidate],
    profile: str,
) -> dict[Candidate, tuple[int, int]]:
    """On how many contested neighbours each candidate foretells what the backend gives, and on how many wrong ones.

    To be right is nothing special, to be wrong in the way foretold is. Nothing where nobody foretells
    most of them: then other bugs show there.
    """
    near = _contested(drawn, candidates, profile)
    scores, answered = dict.fromkeys(candidates, (0, 0)), 0
    cases = [case for case, _ in near]
    for (case, told), outcomes in zip(near, bench.pool.run(cases, [spec]), strict=True):
        outcome = outcomes[spec.text]
        if isinstance(outcome, Values):
            allowed, answered = _allowed(case), answered + 1
            is_wrong = is_suspicious(verdict_on(outcome, allowed), outcome)
            for key, emulated in told.items():
                foretold, wrong = scores[key]
                agrees = _agrees(emulated, outcome, allowed)
                scores[key] = foretold + agrees, wrong + (agrees and is_wrong)
    return scores if max(scores.values())[0] >= HELD * answered else {}


def _contested(
    drawn: Iterable[Case], candidates: Sequence[Candidate], profile: str
) -> list[tuple[Case, dict[Candidate, Emulated]]]:
    """Neighbours that tell faults apart, each pair on a few, and what each candidate foretells.

    Where both are right, nobody can say which of them the backend has.
    """
    pairs = combinations(candidates, 2)
    together = {(a, b): CONTESTED for a, b in pairs if a.fault is not b.fault}
    found: list[tuple[Case, dict[Candidate, Emulated]]] = []
    for case in drawn:
        if not together:
            break
        emulator = Emulator(case, profile)
        told: dict[Candidate, Emulated] = {each: each.outputs(emulator) for each in candidates}
        apart = [pair for pair in together if not _is_equal(told[pair[0]], told[pair[1]])]
        allowed = _allowed(case) if apart else {}
        apart = [(a, b) for a, b in apart if not _agree(told[a], told[b], allowed)]
        if apart:
            found.append((case, told))
        for pair in apart:
            together[pair] -= 1
            if not together[pair]:
                del together[pair]
    return found


def _neighbours(conv: ConvSpec) -> Iterator[Case]:
    """Convolutions like it, of the same form: what reads a QLinearConv may have bugs of its own."""
    rng = Random(NEIGHBOURS)
    around = Neighbourhood(conv, rng)
    for number in range(NEIGHBOURS):
        neighbour = around.many_changes()
        drawn = list(fresh_data(neighbour, rng)) if neighbour.form == conv.form else []
        if drawn:
            yield build(drawn[number % len(drawn)])


def _is_equal(first: Emulated, second: Emulated) -> bool:
    return first.keys() == second.keys() and all(
        array.shape == second[name].shape and bool(is_same(array, second[name]).all())
        for name, array in first.items()
    )


def _agrees(emulated: Emulated, outcome: Values, allowed: Mapping[str, Allowed]) -> bool:
    """Whether every element is what was foretold, or both are right there."""
    return _agree(emulated, outcome.arrays, allowed)


def _agree(first: Emulated, second: Emulated, allowed: Mapping[str, Allowed]) -> bool:
    """Whether they have each element of the second alike, or right both."""
    if not second.keys() <= first.keys() & allowed.keys():
        return False
    return all(
        array.shape == first[name].shape == allowed[name].low.shape
        and bool(
            (
                is_same(array, first[name])
                | ~(is_outside(allowed[name], array) | is_outside(allowed[name], first[name]))
            ).all()
        )
        for name, array in second.items()
    )


def _allowed(case: Case) -> Mapping[str, Allowed]:
    """What the oracle allows; nothing where it is silent."""
    try:
        return Oracle(case.proto()).allowed(case.inputs)
    except Silent:
        return {}
