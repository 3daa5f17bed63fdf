"""Which switches must be off for the right answer: all minimal sets."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import combinations
from math import comb

Restores = Callable[[frozenset[str]], bool]
MOST_PROBES = 110  # at 2.5 ms each, below 0.3 s


class _OutOfProbesError(Exception):
    pass


def minimal_sets(
    names: Sequence[str], restores: Restores, *, max_probes: int = MOST_PROBES
) -> tuple[tuple[str, ...], ...]:
    """All minimal sets of switches whose removal restores the answer.

    ``restores(off)`` runs the backend without the switches ``off``. Probed are: everything, each
    switch, each pair of the others where there are few enough, then what remains by delta
    debugging: each set found is left incomplete in every way, and the rest searched again.

    Guaranteed, for any predicate: what is returned restores; no single switch can be left out of
    a returned set, and none contains another. If even everything off does not restore, nothing is
    returned. While ``max_probes`` last, all single switches that restore are found, and if the
    predicate is monotone (more off never spoils the answer) all minimal sets.

    Order: by size, then as in ``names``.
    """
    probe = _Probe(restores, max_probes)
    found: list[frozenset[str]] = []
    try:
        for each in _search(list(dict.fromkeys(names)), probe):
            found.append(each)  # noqa: PERF402  (what was found before the probes ran out counts)
    except _OutOfProbesError:
        pass
    place = {name: index for index, name in enumerate(names)}
    least = [each for each in found if not any(other < each for other in found)]
    ordered = [tuple(sorted(each, key=place.__getitem__)) for each in least]
    return tuple(sorted(ordered, key=lambda each: (len(each), [place[name] for name in each])))


class _Probe:
    """Remembers answers, and stops the search when the probes are used up."""

    def __init__(self, restores: Restores, left: int) -> None:
        self._restores = restores
        self.left = left
        self._known: dict[frozenset[str], bool] = {}

    def __call__(self, off: Collection[str]) -> bool:
        key = frozenset(off)
        if key not in self._known:
            if self.left <= 0:
                raise _OutOfProbesError
            self.left -= 1
            self._known[key] = self._restores(key)
        return self._known[key]


def _search(names: list[str], probe: _Probe) -> Iterator[frozenset[str]]:
    if probe(()) or not probe(names):
        return
    singles = set()
    for name in names:
        if probe((name,)):
            singles.add(name)
            yield frozenset((name,))
    rest = [name for name in names if name not in singles]
    pairs: list[frozenset[str]] = []
    if comb(len(rest), 2) <= probe.left // 2:
        for pair in map(frozenset, combinations(rest, 2)):
            if probe(pair):
                pairs.append(pair)
                yield pair
    yield from _larger(rest, pairs, probe)


def _larger(
    rest: list[str], known: list[frozenset[str]], probe: _Probe
) -> Iterator[frozenset[str]]:
    """Sets among ``rest`` besides the ``known`` ones, by a hitting-set tree.

    A further minimal set lacks some member of each known one; so every way to keep one member of
    each on is tried, with everything else off.
    """
    known = list(known)
    pending, seen = [frozenset[str]()], set()
    while pending:
        kept_on = pending.pop(0)
        if kept_on in seen:
            continue
        seen.add(kept_on)
        unhit = next((each for each in known if not each & kept_on), None)
        if unhit is None:
            off = [name for name in rest if name not in kept_on]
            if not off or not probe(off):
                continue
            unhit = frozenset(_one_minimal(off, probe))
            known.append(unhit)
            yield unhit
        pending.extend(kept_on | {name} for name in sorted(unhit))


def _one_minimal(names: list[str], probe: _Probe) -> list[str]:
    """A subset that restores and from which no single switch can be taken: by halves, then ones."""
    size = max(1, len(names) // 2)
    while True:
        start, shrunk = 0, False
        while start < len(names):
            kept = names[:start] + names[start + size :]
            if kept and probe(kept):
                names, shrunk = kept, True
            else:
                start += size
        if size == 1 and not shrunk:
            return names
        size = max(1, size // 2)
