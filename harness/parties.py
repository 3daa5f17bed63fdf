"""Where the standard is silent nobody is wrong: all there is to say is who agrees with whom."""

from collections.abc import Mapping

from corpus.case import Array
from harness.outcome import Outcome, Values

Parties = tuple[tuple[str, ...], ...]


def parties(outcomes: Mapping[str, Outcome]) -> Parties:
    """The backends by what they answer, bit for bit; NaN is NaN. The largest party comes first.

    A backend that gave no values is in no party. One party: all that answered agree.
    """
    found: list[tuple[Mapping[str, Array], list[str]]] = []
    for name, outcome in outcomes.items():
        if isinstance(outcome, Values):
            _join(found, name, outcome.arrays)
    by_size = sorted(found, key=lambda each: -len(each[1]))
    return tuple(tuple(names) for _, names in by_size)


def _join(
    found: list[tuple[Mapping[str, Array], list[str]]], name: str, arrays: Mapping[str, Array]
) -> None:
    for answer, names in found:
        if _same(answer, arrays):
            names.append(name)
            return
    found.append((arrays, [name]))


def _same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)


def _equal(one: Array, other: Array) -> bool:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())


def told(found: Parties) -> str:
    """``engine, ort / opencv``: parties by ``/``, the largest first."""
    return " / ".join(", ".join(each) for each in found)
