"""Telling apart faults that give the same values on one case: fresh data, the same convolution.

Where results saturate, several faults look alike on one case. The true one goes on predicting the
backend when the data change; the others do not.
"""

from collections.abc import Sequence
from dataclasses import replace

from corpus.case import Case
from corpus.finding import Match
from engine.faults import CATALOGUE
from generators.operators.conv import build, describe
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.diagnose import diagnose
from harness.oracle import Oracle, judge
from harness.outcome import Values

DRAWS = 8


def confirmed(
    bench: Bench, spec: BackendSpec, case: Case, matches: Sequence[Match]
) -> tuple[Match, ...]:
    """The matches that hold on fresh data too, the best predictors first.

    A single match on every element needs no confirmation; a graph that is not one convolution gets
    none. On fresh data that the backend gets wrong, a fault must again explain every wrong element.
    """
    if len(matches) == 1 and matches[0].matched == matches[0].total:
        return tuple(matches)
    scores = {each.fault: 0 for each in matches}
    for fresh in _redrawn(case) if matches else ():
        outcome = bench.run(fresh, spec)
        if isinstance(outcome, Values):
            _try_again(scores, fresh, outcome, bench.profile(spec))
    held = [each for each in matches if each.fault in scores]
    return tuple(sorted(held, key=lambda each: -scores[each.fault]))


def _try_again(scores: dict[str, int], case: Case, outcome: Values, profile: str) -> None:
    """Add to each fault's score the elements it predicts; strike out those that fail to explain."""
    allowed = Oracle(case.proto()).allowed(case.inputs)
    if not any(
        judge(each, outcome.arrays.get(name)).is_wrong for name, each in allowed.items()
    ):
        return
    candidates = [each for each in CATALOGUE if each.id in scores]
    found = diagnose(case, outcome.arrays, allowed, profile, candidates)
    explained = {each.fault: each.matched for each in found}
    for fault in tuple(scores):
        if fault in explained:
            scores[fault] += explained[fault]
        else:
            del scores[fault]


def _redrawn(case: Case) -> list[Case]:
    spec = describe(case)
    if spec is None:
        return []
    kinds = ("random", "extremes")
    return [
        build(
            replace(
                spec,
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
