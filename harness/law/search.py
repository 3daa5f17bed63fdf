"""The shortest conjunction of atoms that separates failing rows from passing ones."""

from collections.abc import Iterator
from itertools import islice

from harness.law.atoms import NOTABLE, Atom, Table

LONGEST = 4
MOST_COVERS = 20_000
BEAM = 24
ATOM_PRICE = 0.04  # of the rows: what an atom must gain where no law is exact
ARBITRARY = 3  # times that, for ``== 5``
MISSED_COST = 1  # a failure outside the law, which may be another bug
WRONGLY_CALLED_COST = 3  # a pass inside the law, which may be luck with data

Conjunction = tuple[Atom, ...]


def shortest(table: Table) -> Conjunction | None:
    """The law of a table; the best imperfect one where no 1 to 4 atoms separate perfectly.

    It always holds for row 0, the case itself. Among equally short laws the one whose parameters
    come first in the vocabulary wins. Empty where every row fails; None where saying that none
    does is the better guess.
    """
    if not table.failing:
        return None
    if not table.passing:
        return ()
    found = _separating(table)
    if found is None:
        found = _best_effort(table)
        if _cost(table, matches(table, found)) + _price(table, found) >= _cost(table, 0):
            return None
    return _in_order(table, found)


def matches(table: Table, law: Conjunction) -> int:
    """Mask of the rows that the law calls failing."""
    mask = table.everything
    for atom in law:
        mask &= table.atoms[atom]
    return mask


def _in_order(table: Table, law: Conjunction) -> Conjunction:
    ranks = {atom: rank for rank, atom in enumerate(table.atoms)}
    return tuple(sorted(law, key=ranks.__getitem__))


def _separating(table: Table) -> Conjunction | None:
    """An exact law as a least set cover: each atom excludes passing rows, all must be excluded.

    Only atoms that hold on every failing row can take part.
    """
    excludes = {
        atom: table.passing & ~mask
        for atom, mask in table.atoms.items()
        if mask & table.failing == table.failing and table.passing & ~mask
    }
    excludes = _undominated(excludes)
    ranks = {atom: rank for rank, atom in enumerate(excludes)}
    for length in range(1, LONGEST + 1):
        covers = list(islice(_covers(table.passing, excludes, length), MOST_COVERS))
        if covers:
            return min(covers, key=lambda law: _rank(table, law, ranks))
    return None


def _rank(table: Table, law: Conjunction, ranks: dict[Atom, int]) -> tuple[int, list[int]]:
    """Vocabulary first: the sum of places; then the order of relations within a parameter."""
    return sum(table.order[atom.name] for atom in law), sorted(ranks[atom] for atom in law)


def _undominated(excludes: dict[Atom, int]) -> dict[Atom, int]:
    """Without atoms that an earlier one makes superfluous by excluding at least the same rows."""
    kept: dict[Atom, int] = {}
    for atom, mask in excludes.items():
        if not any(mask & ~other == 0 for other in kept.values()):
            kept[atom] = mask
    return kept


def _covers(missing: int, excludes: dict[Atom, int], length: int) -> Iterator[Conjunction]:
    """Sets of at most ``length`` atoms that together exclude all of ``missing``.

    Branches on the row that the fewest atoms exclude, so that hopeless branches end early.
    """
    if not missing:
        yield ()
        return
    if length == 0 or missing.bit_count() > length * _largest(missing, excludes):
        return
    row = _rarest(missing, excludes)
    for atom, mask in excludes.items():
        if mask & row:
            for rest in _covers(missing & ~mask, excludes, length - 1):
                yield (atom, *rest)


def _largest(missing: int, excludes: dict[Atom, int]) -> int:
    return max(((mask & missing).bit_count() for mask in excludes.values()), default=0)


def _rarest(missing: int, excludes: dict[Atom, int]) -> int:
    """The bit, among a few of ``missing``, that the fewest atoms exclude."""
    bits = list(islice(_bits(missing), 48))
    return min(bits, key=lambda bit: sum(mask & bit != 0 for mask in excludes.values()))


def _bits(mask: int) -> Iterator[int]:
    while mask:
        bit = mask & -mask
        yield bit
        mask ^= bit


def _best_effort(table: Table) -> Conjunction:
    """The law with the least cost that a beam search finds; each atom must earn its length.

    Where failures have several causes this is the one that the case itself has: a condition under
    which cases fail, rather than one without which they do not.
    """
    everything = _cost(table, table.everything)
    atoms = {
        atom: mask
        for atom, mask in table.atoms.items()
        if mask & 1 and _cost(table, mask) < everything
    }
    best: Conjunction = ()
    best_cost = float(everything)
    beam: dict[int, Conjunction] = {table.everything: ()}
    for _ in range(LONGEST if atoms else 0):
        grown: dict[int, Conjunction] = {}
        for mask, law in beam.items():
            for atom, holds in atoms.items():
                grown.setdefault(mask & holds, (*law, atom))
        ranked = sorted(grown, key=lambda mask: _cost(table, mask))[:BEAM]
        beam = {mask: grown[mask] for mask in ranked}
        law = beam[ranked[0]]
        cost = _cost(table, ranked[0]) + _price(table, law)
        if cost < best_cost:
            best, best_cost = law, cost
    return _swapped(table, best, atoms)


def _swapped(table: Table, law: Conjunction, atoms: dict[Atom, int]) -> Conjunction:
    """The law after dropping or replacing one atom, as long as that is cheaper."""
    cost = _cost(table, matches(table, law)) + _price(table, law)
    for place in range(len(law)):
        others = (*law[:place], *law[place + 1 :])
        mask = matches(table, others)
        costs = {atom: _cost(table, mask & holds) for atom, holds in atoms.items()}
        atom = min(costs, key=costs.__getitem__)
        if _cost(table, mask) + _price(table, others) <= cost:
            return _swapped(table, others, atoms)
        if costs[atom] + _price(table, law) < cost:
            return _swapped(table, (*others, atom), atoms)
    return law


def _price(table: Table, law: Conjunction) -> float:
    """What the law must gain for its length; one size by itself is seldom a cause."""
    each = max(2.0, ATOM_PRICE * len(table.rows))
    return each * sum(ARBITRARY if _is_arbitrary(atom) else 1 for atom in law)


def _is_arbitrary(atom: Atom) -> bool:
    is_size = not isinstance(atom.value, bool | str) and not atom.modulus
    return is_size and atom.relation == "==" and atom.value not in NOTABLE


def _cost(table: Table, called: int) -> int:
    missed = (table.failing & ~called).bit_count()
    return MISSED_COST * missed + WRONGLY_CALLED_COST * (table.passing & called).bit_count()
