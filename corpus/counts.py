"""How often a backend got which verdict."""

from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass

_COUNTED_AS = {
    "exact": "exact",
    "tie": "tie",
    "rounding-mode": "rounding_mode",
    "divergent": "divergent",
    "nonfinite": "divergent",
    "wrong-type-or-shape": "divergent",
    "nondeterministic": "divergent",
    "refused": "refused",
    "crashed": "crashed",
    "timed-out": "timed_out",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """How many comparisons of one backend got which verdict."""

    exact: int = 0
    tie: int = 0
    rounding_mode: int = 0
    divergent: int = 0
    refused: int = 0
    crashed: int = 0
    timed_out: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def count(verdicts: Iterable[str]) -> Counts:
    """One count for each verdict; every way of giving wrong values counts as ``divergent``."""
    totals = dict.fromkeys(asdict(Counts()), 0)
    for each in verdicts:
        totals[_COUNTED_AS[each]] += 1
    return Counts(**totals)
