"""Guess the law from neighbours, look for counterexamples near its border, guess again."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random

from generators.operators.conv import ConvSpec, parameters
from harness.law.atoms import Atom, Parameters, Table, Value
from harness.law.neighbours import (
    few_changes,
    fresh_data,
    inside,
    many_changes,
    one_change,
    outside,
)
from harness.law.search import Conjunction, matches, shortest

FIRST_RANDOM = 80
ROUND = 40
CLEAN_ROUNDS = 4  # without a mistake: the law stands
SAME_ROUNDS = 12  # with mistakes that do not change the guess: nothing better is in reach
MOST_NEIGHBOURS = 1_000
MOST_COUNTEREXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Law:
    """The predicate on case parameters that separates failing neighbours from passing ones.

    ``text`` joins the ``atoms`` with ``and``; no atoms mean that every neighbour fails
    (``"always"``) or that none does with fresh data (``""``). ``called_failing`` counts, among
    the ``failing`` neighbours, those for which the law holds, ``called_passing`` the others among
    the ``passing``. ``counterexamples`` are parameters of neighbours on which the law is wrong;
    their key ``fails`` says what happened.
    """

    text: str
    atoms: tuple[Atom, ...]
    failing: int
    called_failing: int
    passing: int
    called_passing: int
    counterexamples: tuple[dict[str, Value], ...]

    @property
    def exact(self) -> bool:
        """Whether no neighbour contradicts the law."""
        return (self.failing, self.passing) == (self.called_failing, self.called_passing)


def find_law(
    spec: ConvSpec,
    fails: Callable[[ConvSpec], bool | None],
    *,
    seed: int,
    budget_s: float = 4.0,
) -> Law:
    """The shortest conjunction of one to four atoms that says which neighbours of ``spec`` fail.

    ``fails`` answers None for a neighbour that says nothing about the bug, because the backend
    refuses it or computes it in another way: the law is about the others. A neighbour counts as
    failing if any of three fresh draws of its data does.

    The law is guessed from neighbours, then tried on new ones, half of them with exactly one atom
    broken; mistakes join the table and the guess is renewed, until several rounds bring none, or
    none that changes the guess, or ``budget_s`` seconds are spent. Where nothing separates
    perfectly: the best predicate that holds for ``spec``, its counts, and the neighbours it is
    wrong about.
    """
    spec = replace(spec, x=None, w=None, b=None)
    rng = Random(seed)
    probe = _Probe(fails, rng, time.monotonic() + budget_s)
    probe.ask(_first(spec, rng))
    law: Conjunction | None = None
    clean, same = 0, 0
    while clean < CLEAN_ROUNDS and same < SAME_ROUNDS and not probe.spent:
        guess = shortest(probe.table())
        law, same = guess, same + 1 if guess == law else 0
        before = len(probe.rows)
        probe.ask(_near(spec, law, probe.mistakes(law), rng))
        clean = clean + 1 if _right(law, probe, before) else 0
    return _judged(probe.table())


class _Probe:
    """The neighbours asked about so far."""

    def __init__(
        self, fails: Callable[[ConvSpec], bool | None], rng: Random, deadline: float
    ) -> None:
        self.specs: list[ConvSpec] = []
        self.rows: list[Parameters] = []
        self.fails: list[bool] = []
        self._asked: set[ConvSpec] = set()
        self._fails = fails
        self._rng = rng
        self._deadline = deadline

    @property
    def spent(self) -> bool:
        """Whether time or the number of neighbours is used up."""
        return len(self.rows) >= MOST_NEIGHBOURS or time.monotonic() > self._deadline

    def ask(self, specs: Iterable[ConvSpec]) -> None:
        """Add rows for new specs, until spent."""
        for spec in specs:
            if self.spent and self.rows:
                return
            if spec not in self._asked:
                self._asked.add(spec)
                answer = self._answer(spec)
                if answer is not None or not self.rows:
                    self.specs.append(spec)
                    self.rows.append(parameters(spec))
                    self.fails.append(bool(answer))

    def _answer(self, spec: ConvSpec) -> bool | None:
        """Whether any draw fails; None as soon as one draw says nothing."""
        for drawn in fresh_data(spec, self._rng):
            answer = self._fails(drawn)
            if answer is not False:
                return answer
        return False

    def mistakes(self, law: Conjunction) -> list[ConvSpec]:
        """The neighbours that the law calls failing, but pass; if none, those it misses.

        In this order, because what it misses may be another bug, which more of the same would
        only make louder.
        """
        asked = list(zip(self.specs, self.rows, self.fails, strict=True))
        called = [spec for spec, row, fails in asked if not fails and _calls(law, row)]
        return called or [spec for spec, row, fails in asked if fails and not _calls(law, row)]

    def table(self) -> Table:
        """All rows; the first, which is the case itself, fails with its own data at least."""
        fails = [any(self.fails), *self.fails[1:]]
        return Table(self.rows, fails)


def _first(spec: ConvSpec, rng: Random) -> Iterator[ConvSpec]:
    yield spec
    yield from one_change(spec, rng)
    for _ in range(FIRST_RANDOM):
        yield many_changes(spec, rng)


def _near(
    spec: ConvSpec, law: Conjunction, mistakes: list[ConvSpec], rng: Random
) -> Iterator[ConvSpec]:
    """New neighbours: inside the law, outside it by one atom, and around its mistakes."""
    for number in range(ROUND):
        if mistakes and number % 4 == 0:
            yield few_changes(rng.choice(mistakes), rng)
        else:
            yield (inside if number % 2 else outside)(spec, law, rng)


def _right(law: Conjunction, probe: _Probe, start: int) -> bool:
    pairs = zip(probe.rows[start:], probe.fails[start:], strict=True)
    return all(_calls(law, row) == fails for row, fails in pairs)


def _calls(law: Conjunction, row: Parameters) -> bool:
    return all(atom.holds(row) for atom in law)


def _judged(table: Table) -> Law:
    """The law of all neighbours asked, with its counts."""
    atoms = shortest(table)
    called = matches(table, atoms) if table.failing else 0
    wrong = called ^ table.failing
    counterexamples = [
        {**row, "fails": bool(table.failing >> i & 1)}
        for i, row in enumerate(table.rows)
        if wrong >> i & 1
    ]
    text = " and ".join(atom.text for atom in atoms) or ("always" if table.failing else "")
    return Law(
        text=text,
        atoms=atoms,
        failing=table.failing.bit_count(),
        called_failing=(table.failing & called).bit_count(),
        passing=table.passing.bit_count(),
        called_passing=(table.passing & ~called).bit_count(),
        counterexamples=tuple(counterexamples[:MOST_COUNTEREXAMPLES]),
    )
