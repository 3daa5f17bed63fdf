"""One word on an outcome: the worst verdict on its values, or the kind of its failure."""

from collections.abc import Mapping

from corpus.case import Case
from harness.backends.spec import BackendSpec
from harness.oracle import Allowed, Oracle, Silent, judge
from harness.outcome import Crashed, Outcome, Refused, TimedOut, Values

_WORST_FIRST = ("wrong-type-or-shape", "nonfinite", "divergent", "rounding-mode", "tie")


def failure_of(outcome: Outcome) -> tuple[str, str]:
    """Kind and message of an outcome without values; two empty texts where there are values."""
    match outcome:
        case Refused(message=message):
            return "refused", message
        case Crashed(how=how, stderr=stderr):
            last = stderr.strip().splitlines()[-1:]
            return "crashed", ": ".join((how, *last))
        case TimedOut(seconds=seconds):
            return "timed-out", f"no answer within {seconds:g} s"
        case Values():
            return "", ""


def verdict_on(outcome: Outcome, allowed: Mapping[str, Allowed]) -> str:
    """The worst verdict on the graph outputs, or the kind of failure."""
    if not isinstance(outcome, Values):
        return failure_of(outcome)[0]
    words = {judge(each, outcome.arrays.get(name)).kind for name, each in allowed.items()}
    return next((word for word in _WORST_FIRST if word in words), "exact")


def judge_all(case: Case, outcomes: Mapping[BackendSpec, Outcome]) -> dict[str, str]:
    """The verdict on every backend's outcome of one case, by the backend's name.

    Empty where the oracle is silent: what nobody judged is not counted as right.
    """
    try:
        allowed = Oracle(case.proto()).allowed(case.inputs)
    except Silent:
        return {}
    return {spec.text: verdict_on(outcome, allowed) for spec, outcome in outcomes.items()}


def is_suspicious(word: str, outcome: Outcome) -> bool:
    """Whether the verdict calls for a closer look: a refusal within declared limits does not."""
    if isinstance(outcome, Refused):
        return not outcome.documented
    return word not in ("exact", "tie")


def is_wrong(case: Case, outcome: Outcome) -> bool:
    """Whether the outcome is a bug of the backend; not where the oracle is silent."""
    try:
        is_judged = isinstance(outcome, Values)
        allowed = Oracle(case.proto()).allowed(case.inputs) if is_judged else {}
    except Silent:
        return False
    return is_suspicious(verdict_on(outcome, allowed), outcome)
