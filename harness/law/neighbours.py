"""Neighbours of a spec: one parameter varied, several varied, or drawn on one side of a law."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from random import Random
from typing import Generic

from harness.law.atoms import Atom
from harness.law.kinds import Kind, Move, S, kind_of

REACHES = (0.2, 0.4, 0.8)  # the chances that a random neighbour differs in an aspect
TOUCHED = 0.6  # how often all that a law is about varies
FEW = 2
MOST_SINGLE = 8  # moves tried alone for each aspect
TRIES = 24


def fresh_data(spec: S, rng: Random) -> Iterator[S]:
    """The same parameters with full data, four ways; the output's scale fits its range."""
    return kind_of(spec).fresh_data(spec, rng)


def without_data(spec: S) -> S:
    """The same for all that ``fresh_data`` draws from one spec."""
    return kind_of(spec).without_data(spec)


class Neighbourhood(Generic[S]):
    """What surrounds one spec: draws neighbours, by all moves that were not forgotten."""

    def __init__(self, spec: S, rng: Random) -> None:
        self.kind: Kind[S] = kind_of(spec)
        self.spec: S = self.kind.bare(spec)
        self._rng = rng
        self._aspects: dict[str, list[Move]] = {
            name: list(moves) for name, moves in self.kind.aspects(self.spec).items()
        }

    def one_change(self) -> Iterator[tuple[S, Callable[[], None]]]:
        """Neighbours that differ in one aspect, and how to forget the move that led there.

        Sizes are never forgotten: one that says nothing alone may say much beside another.
        """
        draft = self.kind.draft(self.spec)
        for name, moves in self._aspects.items():
            for move in self._rng.sample(moves, min(len(moves), MOST_SINGLE)):
                neighbour = self.kind.mended(self.kind.moved(draft, move, self._rng))
                if neighbour is not None:
                    is_kept = self.kind.lasting(name)
                    yield neighbour, _keep if is_kept else partial(moves.remove, move)

    def many_changes(self) -> S:
        """A neighbour that differs in a few or in many aspects."""
        return self._changed(self.spec, self._rng.choice(REACHES))

    def few_changes(self, spec: S) -> S:
        """A spec that differs from a neighbour in about two aspects."""
        return self._changed(spec, FEW / len(self._aspects))

    def inside(self, law: Sequence[Atom]) -> S:
        """A neighbour for which the law holds; often one in which all that it is about differs.

        After many tries the spec itself, for which it does hold.
        """
        touched = self._affecting(law) if self._rng.random() < TOUCHED else set[str]()
        for _ in range(TRIES):
            drawn = self._changed(self.spec, self._rng.choice(REACHES), touched)
            if not self._broken(law, drawn):
                return drawn
            if (
                touched
            ):  # one aspect less, chosen blindly: the law may hold for few values of it
                touched.discard(self._rng.choice(sorted(touched)))
        return self.spec

    def outside(self, law: Sequence[Atom]) -> S:
        """A neighbour for which exactly one atom of the law, a random one, does not hold.

        After many tries in vain: any neighbour.
        """
        if not law:
            return self.many_changes()
        atom = self._rng.choice(law)
        start = self.kind.draft(self.inside(law))
        affecting = sorted(self._affecting([atom]))
        moves = [move for name in affecting for move in self._aspects[name]]
        for _ in range(4 * TRIES if moves else 0):
            move = self._rng.choice(moves)
            drawn = self.kind.mended(self.kind.moved(start, move, self._rng))
            if drawn is not None and self._broken(law, drawn) == [atom]:
                return drawn
        return self.many_changes()

    def _changed(self, spec: S, reach: float, always: Collection[str] = ()) -> S:
        for _ in range(TRIES):
            draft = self.kind.draft(spec)
            for name, moves in self._aspects.items():
                if moves and (name in always or self._rng.random() < reach):
                    draft = self.kind.moved(draft, self._rng.choice(moves), self._rng)
            drawn: S | None = self.kind.mended(draft)
            if drawn is not None:
                return drawn
        return spec

    def _affecting(self, law: Sequence[Atom]) -> set[str]:
        """The aspects that a law's parameters depend on."""
        return {name for atom in law for name in self.kind.affecting(atom.name, self._aspects)}

    def _broken(self, law: Sequence[Atom], spec: S) -> list[Atom]:
        words = self.kind.parameters(spec)
        return [atom for atom in law if not atom.holds(words)]


def _keep() -> None:
    """Forget nothing."""
