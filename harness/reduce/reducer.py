"""The order of the passes: big cuts first, then one operation's parameters, then its data."""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from corpus.case import Array, Case
from harness.reduce.branches import open_branches
from harness.reduce.conv import shrink_conv
from harness.reduce.data import crop_inputs, plain_constants, plain_inputs
from harness.reduce.graph import (
    bypass_nodes,
    cut_ends,
    cut_outputs,
    cut_to_culprit,
    cut_to_unit,
    strip,
)
from harness.reduce.problem import OutOfTimeError, Pass, Problem, Reduction
from harness.reduce.shapes import close_sizes, fold_sizes

PASSES: tuple[Pass, ...] = (
    close_sizes,
    fold_sizes,
    open_branches,
    cut_to_culprit,
    cut_to_unit,
    cut_outputs,
    cut_ends,
    bypass_nodes,
    shrink_conv,
    crop_inputs,
    plain_inputs,
    plain_constants,
    strip,
)


def reduce(
    case: Case,
    still_fails: Callable[[Case], bool],
    *,
    culprit: Collection[str] = (),
    values: Mapping[str, Array] | None = None,
    budget_s: float = 20,
) -> Reduction:
    """The smallest case for which ``still_fails`` holds, by passes run to a fixpoint.

    ``still_fails`` says whether a case shows the same signature; only such cases are followed,
    so that the result is the same bug. It is asked about valid, smaller cases only, each once.
    ``culprit`` names nodes (``node_id``) to try first; ``values`` are intermediate tensors of the
    case, used where a cut turns one into an input (drawn at random where absent).
    When ``budget_s`` seconds are spent, the smallest case so far is returned.
    """
    start = time.monotonic()
    problem = Problem(
        case, still_fails, culprit=culprit, values=values, deadline=start + budget_s
    )
    with suppress(OutOfTimeError):
        _to_fixpoint(problem)
    return Reduction(problem.best, problem.checks, time.monotonic() - start)


def _to_fixpoint(problem: Problem) -> None:
    before = None
    while before is not problem.best:
        before = problem.best
        for shrink in PASSES:
            shrink(problem)
