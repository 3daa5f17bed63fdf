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
from harness.diagnose import emulate
from harness.outcome import Values

DRAWS = 8


def confirmed(
    bench: Bench, spec: BackendSpec, case: Case, matches: Sequence[Match]
) -> tuple[Match, ...]:
    """The matches, those first that predict the backend on most elements of fresh data."""
    near = _redrawn(case) if len(matches) > 1 else []
    scores = dict.fromkeys((each.fault for each in matches), 0)
    profile = bench.profile(spec)
    for fresh in near:
        outcome = bench.run(fresh, spec)
        if isinstance(outcome, Values):
            for fault in scores:
                scores[fault] += _predicted(fresh, outcome, fault, profile)
    return tuple(sorted(matches, key=lambda each: -scores[each.fault]))


def _predicted(case: Case, outcome: Values, fault: str, profile: str) -> int:
    """Elements of the outcome that the fault's best variant gives too."""
    variants = [each for each in CATALOGUE if each.id == fault]
    emulated = (emulate(case, profile, each) for each in variants)
    return max(
        sum(
            int((values[name] == array).sum())
            for name, array in outcome.arrays.items()
            if name in values and values[name].shape == array.shape
        )
        for values in emulated
    )


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
