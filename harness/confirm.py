"""Telling apart faults that give the same values on one case: fresh data, then other parameters.

Where results saturate, or where a convolution is too small to tell, several faults look alike. The
true one goes on predicting the backend when data and parameters change; the others do not.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from corpus.case import Case
from corpus.finding import Match
from engine.faults import CATALOGUE
from generators.operators.conv import ConvSpec, build, describe
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.diagnose import diagnose, emulate
from harness.law.neighbours import Neighbourhood, fresh_data
from harness.oracle import Oracle, judge
from harness.outcome import Values

DRAWS = 8
NEIGHBOURS = 24


def confirmed(
    bench: Bench, spec: BackendSpec, case: Case, matches: Sequence[Match]
) -> tuple[Match, ...]:
    """The matches that hold on fresh data too, the best predictors of neighbours first.

    A single match on every element needs no confirmation; a graph that is not one convolution gets
    none. On fresh data that the backend gets wrong, a fault must again explain every wrong element.
    """
    if len(matches) == 1 and matches[0].matched == matches[0].total:
        return tuple(matches)
    conv = describe(case) if matches else None
    if conv is None:
        return tuple(matches)
    held = {each.fault: each for each in matches}
    for fresh in _redrawn(conv):
        outcome = bench.run(fresh, spec)
        if isinstance(outcome, Values):
            held = _still_explained(held, fresh, outcome, bench.profile(spec))
    if len(held) < 2:
        return tuple(held.values())
    scores = _scores(bench, spec, conv, tuple(held))
    return tuple(sorted(held.values(), key=lambda each: -scores[each.fault]))


def _still_explained(
    held: dict[str, Match], case: Case, outcome: Values, profile: str
) -> dict[str, Match]:
    """Without the faults that do not explain what is wrong with this outcome."""
    allowed = Oracle(case.proto()).allowed(case.inputs)
    if not any(
        judge(each, outcome.arrays.get(name)).is_wrong for name, each in allowed.items()
    ):
        return held
    candidates = [each for each in CATALOGUE if each.id in held]
    found = {
        each.fault for each in diagnose(case, outcome.arrays, allowed, profile, candidates)
    }
    return {fault: match for fault, match in held.items() if fault in found}


def _scores(
    bench: Bench, spec: BackendSpec, conv: ConvSpec, faults: Sequence[str]
) -> dict[str, int]:
    """On how many neighbouring convolutions each fault predicts the backend entirely."""
    rng = Random(NEIGHBOURS)
    around = Neighbourhood(conv, rng)
    near = [build(next(fresh_data(around.many_changes(), rng))) for _ in range(NEIGHBOURS)]
    scores = dict.fromkeys(faults, 0)
    for case, outcomes in zip(near, bench.pool.run(near, [spec]), strict=True):
        outcome = outcomes[spec.text]
        if isinstance(outcome, Values):
            for fault in faults:
                scores[fault] += _predicts(case, outcome, fault, bench.profile(spec))
    return scores


def _predicts(case: Case, outcome: Values, fault: str, profile: str) -> bool:
    variants = (emulate(case, profile, each) for each in CATALOGUE if each.id == fault)
    return any(
        name in values and values[name].tobytes() == array.tobytes()
        for values in variants
        for name, array in outcome.arrays.items()
    )


def _redrawn(conv: ConvSpec) -> list[Case]:
    kinds = ("random", "extremes")
    return [
        build(
            replace(
                conv,
                x=None,
                w=None,
                x_kind=kinds[number % 2],
                w_kind=kinds[number // 2 % 2],
                x_seed=number + 1,
                w_seed=number + 101,
            )
        )
        for number in range(DRAWS)
    ]
