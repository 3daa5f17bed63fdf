"""Guess the law from neighbours, look for counterexamples near its border, guess again."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Generic

from harness.law.atoms import Atom, Parameters, Table, Value
from harness.law.kinds import S, kind_of
from harness.law.neighbours import Neighbourhood, fresh_data
from harness.law.search import Conjunction, matches, shortest

FIRST_RANDOM = 60
ROUND = 40
VERIFIED = 240  # new neighbours without a mistake: the law stands
SAME_ROUNDS = 12  # with mistakes that do not change the guess: nothing better is in reach
MOST_NEIGHBOURS = 1_000
LEAST_NEIGHBOURS = 250  # asked even where the time is over, up to
PATIENCE = 3  # times the time
MOST_COUNTEREXAMPLES = 20
SILENT = 3  # draws of a neighbour that say nothing before it is given up


@dataclass(frozen=True, slots=True)
class Law:
    """The predicate on case parameters that separates failing neighbours from passing ones.

    ``text`` joins the ``atoms`` with ``and``. Without atoms it is ``"always"`` where every
    neighbour fails, or all but a few that no predicate tells; and empty where none fails with
    fresh data, or too few for any predicate to be better than silence. ``called_failing`` counts,
    among the ``failing`` neighbours, those for which the law holds, ``called_passing`` the others
    among the ``passing``. ``counterexamples`` are parameters of neighbours on which the law is
    wrong; their key ``fails`` says what happened.
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
    spec: S,
    fails: Callable[[S], bool | None],
    *,
    seed: int,
    budget_s: float = 4.0,
) -> Law:
    """The shortest conjunction of one to four atoms that says which neighbours of ``spec`` fail.

    ``fails`` answers None for a neighbour that says nothing about the bug, because the backend
    refuses it or computes it in another way: the law is about the others. A neighbour counts as
    failing if any of five fresh draws of its data does.

    The law is guessed from neighbours, then tried on new ones, half of them with exactly one atom
    broken; mistakes join the table and the guess is renewed, until several rounds bring none, or
    none that changes the guess, or ``budget_s`` seconds are spent (more where they sufficed for
    few neighbours). Where nothing separates
    perfectly: the best predicate that holds for ``spec``, its counts, and the neighbours it is
    wrong about.
    """
    rng = Random(seed)
    near = Neighbourhood(spec, rng)
    probe = _Probe(fails, rng, time.monotonic() + budget_s)
    _explore(near, probe)
    law: Conjunction | None = ()
    verified, same = 0, 0
    while verified < VERIFIED and same < SAME_ROUNDS and probe.is_worthwhile:
        guess = shortest(probe.table())
        law, same = guess, same + 1 if guess == law else 0
        before = len(probe.rows)
        for drawn in _border(near, law or (), probe.mistakes(law or ()), rng):
            probe.ask(drawn)
        if _right(law or (), probe, before):
            verified, same = verified + len(probe.rows) - before, 0
        else:
            verified = 0
    return _judged(probe.table())


class _Probe(Generic[S]):
    """The neighbours asked about so far."""

    def __init__(
        self, fails: Callable[[S], bool | None], rng: Random, deadline: float
    ) -> None:
        self.specs: list[S] = []
        self.rows: list[Parameters] = []
        self.fails: list[bool] = []
        self._asked: set[S] = set()
        self._telling = 0
        self._fails: Callable[[S], bool | None] = fails
        self._rng = rng
        self._deadline = deadline
        self._last = deadline + (PATIENCE - 1) * max(0.0, deadline - time.monotonic())

    @property
    def spent(self) -> bool:
        """Whether time or the number of neighbours is used up; a slow engine gets more time."""
        now = time.monotonic()
        if len(self.rows) >= LEAST_NEIGHBOURS:
            return len(self.rows) >= MOST_NEIGHBOURS or now > self._deadline
        return now > self._last

    @property
    def is_worthwhile(self) -> bool:
        """Whether there is more to ask, and anything failed so far."""
        return any(self.fails) and not self.spent

    def ask(self, spec: S) -> bool | None:
        """Add the row of a new spec, unless spent; False for one that is not asked about."""
        if spec in self._asked or (self.spent and self.rows):
            return False
        self._asked.add(spec)
        answer = self._answer(spec)
        if answer is not None or not self.rows:
            self.specs.append(spec)
            self.rows.append(kind_of(spec).parameters(spec))
            self.fails.append(bool(answer))
        return answer

    def _answer(self, spec: S) -> bool | None:
        """Whether any draw fails; None if none says anything, or the first few do not.

        The way of drawing that failed last goes first.
        """
        answers: list[bool | None] = []
        drawn = dict(enumerate(fresh_data(spec, self._rng)))
        for way in sorted(drawn, key=lambda each: each != self._telling):
            answers.append(self._fails(drawn[way]))
            if answers[-1]:
                self._telling = way
                return True
            if answers == [None] * SILENT and any(self.fails):
                break
        return False if False in answers else None

    def mistakes(self, law: Conjunction) -> list[S]:
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


def _explore(near: Neighbourhood[S], probe: _Probe[S]) -> None:
    """The spec, its neighbours by one change, and some by more; moves that say nothing go."""
    probe.ask(near.spec)
    for neighbour, forget in near.one_change():
        if probe.ask(neighbour) is None:
            forget()
    for _ in range(FIRST_RANDOM):
        probe.ask(near.many_changes())


def _border(
    near: Neighbourhood[S], law: Conjunction, mistakes: list[S], rng: Random
) -> Iterator[S]:
    """New neighbours: inside the law, outside it by one atom, and around its mistakes."""
    for number in range(ROUND):
        if mistakes and number % 4 == 0:
            yield near.few_changes(rng.choice(mistakes))
        else:
            yield (near.inside if number % 2 else near.outside)(law)


def _right(law: Conjunction, probe: _Probe[S], start: int) -> bool:
    pairs = zip(probe.rows[start:], probe.fails[start:], strict=True)
    return all(_calls(law, row) == fails for row, fails in pairs)


def _calls(law: Conjunction, row: Parameters) -> bool:
    return all(atom.holds(row) for atom in law)


def _judged(table: Table) -> Law:
    """The law of all neighbours asked, with its counts."""
    atoms = shortest(table)
    called = 0 if atoms is None else matches(table, atoms)
    wrong = called ^ table.failing
    counterexamples = [
        {**row, "fails": bool(table.failing >> i & 1)}
        for i, row in enumerate(table.rows)
        if wrong >> i & 1
    ]
    return Law(
        text=_text(atoms),
        atoms=atoms or (),
        failing=table.failing.bit_count(),
        called_failing=(table.failing & called).bit_count(),
        passing=table.passing.bit_count(),
        called_passing=(table.passing & ~called).bit_count(),
        counterexamples=tuple(counterexamples[:MOST_COUNTEREXAMPLES]),
    )


def _text(atoms: Conjunction | None) -> str:
    if atoms is None:
        return ""
    return " and ".join(atom.text for atom in atoms) or "always"
