"""The class of a verdict: what a person can act on, from its kind and its diagnosis."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from corpus.finding import Match

WRONG = "wrong"
ROUNDING = "rounding-mode"
NONFINITE = "nonfinite"

CLASSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        ROUNDING: ("F70", "F71", "F72", "F73a", "F75"),
        "double rounding": ("F77", "F78", "F90b"),
        "saturated accumulator": ("F76", "F79a", "F79b", "F79c", "F79d"),
    }
)
"""The faults that make a class; every other divergence is wrong."""


TIES = ("F70", "F71", "F75")
"""The faults that nothing but ties tell of."""


def kind_of_bug(kind: str, matches: Sequence[Match]) -> str:
    """The kind that a bug has whatever data show it.

    A fault that does more than turn ties around is no rounding mode where ties alone are wrong, and
    one that does not is one where a sum that is rounded makes a tie of what is none. What is no
    finite number becomes a code behind a QuantizeLinear.
    """
    causes = {cause for each in matches[:1] for cause in each.fault.split("+")}
    if not causes or kind not in ("divergent", ROUNDING, NONFINITE):
        return kind
    return "divergent" if causes - {*TIES} else ROUNDING


def named_kind(kind: str) -> str:
    """The kind in a signature: data decide whether a wrong value is a finite one."""
    return "divergent" if kind == NONFINITE else kind


def kind_of_fault(kind: str) -> str:
    """The kind in the signature of a fault: the shape or the words of a refusal may tell of it, too."""
    return kind if kind == ROUNDING else "divergent"


def told_by(cause: str) -> str:
    """Of two faults at once the one that names the bug: the first, but for what only ties tell of.

    Where both show, each of them is a bug that shows without the other, too.
    """
    faults = cause.split("+")
    return next((each for each in faults if each not in TIES), faults[0])


def verdict_class(kind: str, matches: Sequence[Match]) -> str:
    """``wrong``, ``rounding-mode``, ``double rounding`` or ``saturated accumulator``.

    A kind that is no matter of values (``refused``, ``nonfinite``, ...) is its own class.
    """
    if kind not in ("divergent", ROUNDING):
        return kind
    faults = {each.fault for each in matches[:1]}
    named = (name for name, members in CLASSES.items() if faults.intersection(members))
    return next(named, ROUNDING if kind == ROUNDING else WRONG)
