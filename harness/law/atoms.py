"""Atoms: the comparisons that a law is made of, and the table of neighbours they are tried on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Value = int | bool | str
Parameters = Mapping[str, Value]

NOTABLE = frozenset({0, 1, -128, 127, 255})  # the only numbers that "!=" is tried with
MODULI = (4, 8, 16, 32)
COUNTS = (
    *("groups", "M/groups", "C/groups", "M", "C", "kernel taps", "pixels", "image"),
    *("K", "N", "terms", "elements", "last axis", "elements left"),
)


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison: ``name relation value``, or ``name % modulus relation 0``."""

    name: str
    relation: str
    value: Value
    modulus: int = 0

    @property
    def text(self) -> str:
        """As a law prints it: ``groups > 1``, ``M/groups % 8 != 0``, ``not per-channel``."""
        if isinstance(self.value, bool):
            return self.name if self.value == (self.relation == "==") else _negated(self.name)
        if self.modulus:
            return f"{self.name} % {self.modulus} {self.relation} 0"
        return f"{self.name} {self.relation} {self.value}"

    def holds(self, parameters: Parameters) -> bool:
        """Whether a case with these parameters satisfies the atom."""
        value = parameters[self.name]
        if self.modulus:
            return (int(value) % self.modulus == 0) == (self.relation == "==")
        if self.relation == "==":
            return value == self.value
        if self.relation == "!=":
            return value != self.value
        if self.relation == ">":
            return int(value) > int(self.value)
        return int(value) < int(self.value)


def _negated(name: str) -> str:
    return name.replace(" == ", " != ") if " == " in name else f"not {name}"


class Table:
    """Neighbours as rows: one column per parameter, and which of them fail.

    Sets of rows are Python integers used as bit masks: row i is bit i.
    """

    def __init__(self, rows: Sequence[Parameters], fails: Sequence[bool]) -> None:
        self.rows = rows
        self.everything = (1 << len(rows)) - 1
        self.failing = _mask(np.array(fails, bool))
        self.passing = self.everything & ~self.failing

    @cached_property
    def atoms(self) -> dict[Atom, int]:
        """Every atom that holds for some rows and not for others, with the mask of the former.

        Of atoms that hold for the same rows only the one to prefer is kept: earlier in the
        vocabulary, then the relation listed first, then the tighter threshold.
        """
        best: dict[int, Atom] = {}
        for atom, mask in self._all_atoms():
            if 0 != mask != self.everything:
                best.setdefault(mask, atom)
        return {atom: mask for mask, atom in best.items()}

    @cached_property
    def order(self) -> dict[str, int]:
        """The place of each parameter in the vocabulary."""
        return {name: place for place, name in enumerate(self.rows[0])}

    def _all_atoms(self) -> Iterator[tuple[Atom, int]]:
        fails = np.array([bool(self.failing >> i & 1) for i in range(len(self.rows))])
        for name in self.rows[0]:
            column = np.array([row[name] for row in self.rows])
            if column.dtype.kind == "i":
                yield from _number_atoms(name, column, fails)
            else:
                yield from _word_atoms(name, column)


def _number_atoms(
    name: str, column: npt.NDArray[np.int64], fails: npt.NDArray[np.bool_]
) -> Iterator[tuple[Atom, int]]:
    """Comparisons of a numeric parameter; a threshold is the value next to the failing ones."""
    values = [int(value) for value in np.unique(column)]
    for value in sorted({int(v) for v in np.unique(column[fails])}):
        yield Atom(name, "==", value), _mask(column == value)
    notable = NOTABLE | {2} if name == "rank" else NOTABLE  # of images
    odd = sorted(notable.intersection(values))
    unequal = [(Atom(name, "!=", value), _mask(column != value)) for value in odd]
    if name.endswith("zero point"):
        yield from unequal
    for value, next_value in reversed(list(pairwise(values))):
        yield Atom(name, ">", next_value - 1), _mask(column > value)
    for value in values[:-1]:
        yield Atom(name, "<", value + 1), _mask(column <= value)
    if not name.endswith("zero point"):
        yield from unequal
    if name in COUNTS:
        for modulus in MODULI:
            multiple = column % modulus == 0
            yield Atom(name, "!=", 0, modulus), _mask(~multiple)
            yield Atom(name, "==", 0, modulus), _mask(multiple)


def _word_atoms(name: str, column: npt.NDArray[np.generic]) -> Iterator[tuple[Atom, int]]:
    words = [word.item() for word in np.unique(column)]
    for word in words:
        yield Atom(name, "==", word), _mask(column == word)
    for word in words:
        yield Atom(name, "!=", word), _mask(column != word)


def _mask(flags: npt.NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")
