"""Cases like a user's own model: ``mine`` takes it apart, ``like_case`` varies the parts.

A part is a small ONNX file that says which pattern it is of; so whoever holds the parts, in whatever
process, draws the same cases from the same seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import onnx

from corpus.case import Case
from generators.choices import RandomChoices
from generators.like.drawing import drawn
from generators.like.mining import Mined, mine
from generators.like.mutations import MUTATIONS
from generators.like.sizes import Part, part_of

__all__ = ["Mined", "cells_of", "like_case", "mine"]


@dataclass(frozen=True, slots=True)
class _Stock:
    """Parts by pattern, and the digest of the model they are from."""

    digest: str
    names: tuple[str, ...]
    parts: tuple[tuple[Part, ...], ...]


def like_case(parts: Sequence[bytes], scales: str, seed: int) -> Case:
    """The case number ``seed`` like one of the parts; one pattern after the other has its turn.

    Raises:
        ValueError: the scale policy is unknown.
    """
    stock = _stock(tuple(parts))
    turn, which = divmod(seed, len(stock.names))
    shapes = stock.parts[which]
    found = drawn(shapes[turn % len(shapes)], scales, RandomChoices(seed))
    cells = [f"like {stock.names[which]}"]
    cells += [f"like, but {found.mutation}"] if found.mutation else []
    origin = f"like {stock.digest} {scales} {seed}"
    return replace(found.case, origin=origin, cells=tuple(cells))


def cells_of(parts: Sequence[bytes]) -> tuple[str, ...]:
    """The cells that cases like these parts reach."""
    names = _stock(tuple(parts)).names
    return (*(f"like {each}" for each in names), *(f"like, but {each}" for each in MUTATIONS))


@lru_cache(maxsize=2)
def _stock(parts: tuple[bytes, ...]) -> _Stock:
    by_name: dict[str, list[Part]] = {}
    digest = ""
    for each in parts:
        model = onnx.ModelProto.FromString(each)
        said = {entry.key: entry.value for entry in model.metadata_props}
        digest = said["model"]
        by_name.setdefault(said["pattern"], []).append(part_of(model))
    return _Stock(digest, tuple(by_name), tuple(map(tuple, by_name.values())))
