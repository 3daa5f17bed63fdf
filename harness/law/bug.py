"""The law of a bug: neighbours of its smallest case are run, and judged by whether they show it."""

from collections.abc import Iterable
from random import Random

from corpus.case import Case
from corpus.finding import PARTNER
from generators.illegal import breach_of
from generators.operators import conv as convolutions
from generators.operators import node as nodes
from generators.operators.node import NodeSpec
from harness.bench import Bench
from harness.diagnose import foresee, is_triggered
from harness.law.find import Law, find_law
from harness.law.kinds import S, kind_of
from harness.oracle import Oracle, Silent
from harness.outcome import Outcome, Refused, Tapped, Values
from harness.same import faults_of, shows_bug
from harness.suspect import Suspect
from harness.verdicts import is_wrong

DATA_ALONE = (
    "nondeterministic",
    "rounding-mode",
)  # whether they show is no matter of parameters
HANGS = "timed-out"  # each try would take the time limit
LAW_BUDGET_S = 4.0
UNEXPLAINED_LAW_BUDGET_S = (
    2.0  # without a fault to tell its cases from others', few laws are exact
)
NO_LAW = Law("", (), 0, 0, 0, 0, ())


def may_have_law(suspect: Suspect, case: Case) -> bool:
    """Whether it takes a search to know the law: of one operator whose parameters may matter."""
    if suspect.signature.kind in (*DATA_ALONE, HANGS) or suspect.located_by == PARTNER:
        return False
    described = convolutions.describe(case) or nodes.describe(case)
    return described is not None and not breach_of(case)


def law_of(
    bench: Bench, suspect: Suspect, case: Case, seed: int, *, budget_s: float | None = None
) -> Law:
    """The law over the case's parameters; none unless it `may_have_law`.

    A neighbour says nothing about this bug where the backend refuses it, runs it as another
    operation or gets it wrong in another way, and where right values are all the same. With a
    diagnosis the fault is emulated first: where its trigger holds and yet the data hide it, a
    right answer says nothing; where its trigger does not hold, a right answer always counts.
    ``budget_s`` seconds, where nothing is given fewer for a bug without a diagnosis.
    """
    if not may_have_law(suspect, case):
        return NO_LAW
    if budget_s is None:
        budget_s = LAW_BUDGET_S if suspect.matches else UNEXPLAINED_LAW_BUDGET_S
    convolution = convolutions.describe(case)
    if convolution is not None:
        return _law_around(bench, suspect, convolution, seed, budget_s)
    operator = nodes.describe(case)
    if operator is not None:
        return _law_around(bench, suspect, operator, seed, budget_s)
    return NO_LAW


def _law_around(bench: Bench, suspect: Suspect, spec: S, seed: int, budget_s: float) -> Law:
    kind = kind_of(spec)
    settled: set[S] = set()
    silent: set[S] = set()
    is_strict = isinstance(spec, NodeSpec) and not any(
        each.acts_on_rules for each in faults_of(suspect)
    )

    def fails(neighbour: S) -> bool | None:
        blank = kind.without_data(neighbour)
        if blank in settled:
            return False
        if blank in silent:
            return None
        near = kind.build(neighbour)
        loudest = map(kind.build, kind.loudest_data(neighbour))
        foreseen = _foreseen(bench, suspect, loudest, near)
        if foreseen is None:
            return None
        outcome = bench.run(near, suspect.spec)
        if isinstance(outcome, Refused) and outcome.documented:
            return None
        if shows_bug(bench, suspect, near, outcome):
            return True
        if is_wrong(near, outcome) or (suspect.rows and foreseen and _is_constant(outcome)):
            return None
        if (foreseen or is_strict) and not _runs_as(bench, suspect, near):
            silent.add(blank)
            return None
        if suspect.matches:  # the fault cannot show, or would and does not, whatever the data
            settled.add(blank)
        return False

    louder = kind.loud(spec)
    still = any(fails(each) for each in kind.fresh_data(louder, Random(seed)))
    return find_law(louder if still else spec, fails, seed=seed, budget_s=budget_s)


def _foreseen(
    bench: Bench, suspect: Suspect, loudest: Iterable[Case], case: Case
) -> bool | None:
    """Whether the diagnosed fault would show on the case; without a diagnosis anything may.

    False only where no other weights, those of ``loudest``, would trigger it either.
    """
    if not suspect.matches:
        return True
    fault, profile = faults_of(suspect)[0], bench.profile(suspect.spec)
    try:
        allowed = Oracle(case.proto()).allowed(case.inputs)
    except Silent:
        return None
    told = foresee(case, allowed, profile, fault)
    return (
        None
        if told is False and any(is_triggered(each, profile, fault) for each in loudest)
        else told
    )


def _runs_as(bench: Bench, suspect: Suspect, case: Case) -> bool:
    """Whether the backend runs the case through the operation that is blamed."""
    if not suspect.signature.fused_as:
        return True
    tapped = bench.tap(case, suspect.spec)
    kinds = {unit.kind for unit in tapped.plan} if isinstance(tapped, Tapped) else set()
    return not kinds or suspect.signature.fused_as in kinds


def _is_constant(outcome: Outcome) -> bool:
    """Whether every output is one value repeated: a wrong kernel could hardly show."""
    return isinstance(outcome, Values) and all(
        array.size > 1 and (array == array.flat[0]).all() for array in outcome.arrays.values()
    )
