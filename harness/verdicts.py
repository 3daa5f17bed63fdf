"""One word on an outcome: the worst verdict on its values, or the kind of its failure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from corpus.case import Array, Case
from generators.illegal import breach_of
from harness.backends.spec import BackendSpec
from harness.oracle import Allowed, Oracle, Silent, judge
from harness.outcome import Crashed, Outcome, Refused, TimedOut, Values

VAGUE = 0.5  # share of codes with more than one allowed value
NEVER = ("crashed", "timed-out")  # right for no model, valid or not
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
    return worst(judge(each, outcome.arrays.get(name)).kind for name, each in allowed.items())


def is_right(outcome: Values, allowed: Mapping[str, Allowed]) -> bool:
    """Whether every output is what it may be; faster than a verdict."""
    return all(_is_allowed(each, outcome.arrays.get(name)) for name, each in allowed.items())


def _is_allowed(allowed: Allowed, array: Array | None) -> bool:
    if array is None or array.dtype != allowed.dtype or array.shape != allowed.low.shape:
        return False
    if allowed.dtype.kind not in "iu":
        return not judge(allowed, array).is_wrong
    codes = array.astype(allowed.low.dtype)
    return bool(((codes >= allowed.low) & (codes <= allowed.high)).all())


def worst(words: Iterable[str]) -> str:
    """The worst of several verdicts, ``exact`` of none."""
    said = set(words)
    return next((word for word in _WORST_FIRST if word in said), "exact")


@dataclass(frozen=True, slots=True)
class JudgedAll:
    """The verdict on every backend's outcome of one case, by the backend's name.

    Where the oracle is silent, for the reason in ``silent``, only crashes and hangs have words: what
    nobody judged is not counted as right. ``is_vague``: so many codes may be more than one value that
    the operations inside must be judged as well.
    """

    words: Mapping[str, str]
    is_vague: bool
    silent: str = ""


def judge_all(case: Case, outcomes: Mapping[BackendSpec, Outcome]) -> JudgedAll:
    """The verdict on every backend's outcome of one case; no model may crash an engine, or hang it."""
    try:
        allowed = _allowed(case)
    except Silent as silent:
        failures = {spec.text: failure_of(outcome)[0] for spec, outcome in outcomes.items()}
        words = {name: word for name, word in failures.items() if word in NEVER}
        return JudgedAll(words, is_vague=False, silent=str(silent))
    words = {spec.text: verdict_on(outcome, allowed) for spec, outcome in outcomes.items()}
    codes = (each for each in allowed.values() if each.dtype.kind in "iu")
    return JudgedAll(words, any(each.slack > VAGUE for each in codes))


def _allowed(case: Case) -> dict[str, Allowed]:
    """What each output may be.

    Raises:
        Silent: the oracle is, or the model was broken on purpose.
    """
    if breach := breach_of(case):
        raise Silent("the model is not valid", breach)
    return Oracle(case.proto()).allowed(case.inputs)


def is_suspicious(word: str, outcome: Outcome) -> bool:
    """Whether the verdict calls for a closer look: a refusal within declared limits does not."""
    if isinstance(outcome, Refused):
        return not outcome.documented
    return word not in ("exact", "tie")


def is_wrong(case: Case, outcome: Outcome) -> bool:
    """Whether the outcome is a bug of the backend; not where the oracle is silent."""
    try:
        is_judged = isinstance(outcome, Values | Refused if breach_of(case) else Values)
        allowed = _allowed(case) if is_judged else {}
    except Silent:
        return False
    return is_suspicious(verdict_on(outcome, allowed), outcome)
