"""The two kinds of specs that laws are about, and all that the search must know of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, TypeVar, cast

from corpus.case import Case
from generators.operators import conv as convolutions
from generators.operators import node as nodes
from generators.operators.conv import ConvSpec
from generators.operators.node import NodeSpec
from harness.law.atoms import Parameters
from harness.law.conv import moves as conv_moves
from harness.law.conv import space as conv_space
from harness.law.node import data as node_data
from harness.law.node import space as node_space

S = TypeVar("S", ConvSpec, NodeSpec)
Draft = Any  # a spec while it is varied, in whatever form is cheap to change
Move = Callable[[Any, Random], Draft]
Aspects = Mapping[str, Sequence[Move]]


@dataclass(frozen=True, slots=True)
class Kind(Generic[S]):
    """How to read, vary and build specs of one kind.

    ``aspects`` of a spec are ways of changing it, by what they change; ``affecting`` names the
    aspects that a parameter depends on, of those given; ``lasting`` those whose moves are never
    forgotten. ``moved`` applies a move to a draft, ``mended`` makes a spec of a draft, or None where
    no small valid model has it.
    """

    build: Callable[[S], Case]
    parameters: Callable[[S], Parameters]
    fresh_data: Callable[[S, Random], Iterator[S]]
    without_data: Callable[[S], S]
    bare: Callable[[S], S]
    loud: Callable[[S], S]
    loudest_data: Callable[[S], Iterator[S]]
    aspects: Callable[[S], Aspects]
    affecting: Callable[[str, Aspects], Sequence[str]]
    lasting: Callable[[str], bool]
    draft: Callable[[S], Draft]
    moved: Callable[[Draft, Move, Random], Draft]
    mended: Callable[[Draft], S | None]


CONV: Kind[ConvSpec] = Kind(
    build=convolutions.build,
    parameters=convolutions.parameters,
    fresh_data=conv_space.fresh_data,
    without_data=conv_space.without_data,
    bare=conv_space.bare,
    loud=conv_space.loud,
    loudest_data=conv_space.loudest_data,
    aspects=lambda spec: conv_moves.ASPECTS,
    affecting=lambda name, aspects: conv_moves.AFFECTING.get(name, tuple(aspects)),
    lasting=frozenset({"groups", "outputs", "inputs"}).__contains__,
    draft=conv_space.draft_of,
    moved=lambda draft, move, rng: {**draft, **move(draft, rng)},
    mended=conv_space.mended,
)
NODE: Kind[NodeSpec] = Kind(
    build=nodes.build,
    parameters=nodes.parameters,
    fresh_data=node_data.fresh_data,
    without_data=node_data.without_data,
    bare=node_data.bare,
    loud=node_data.loud,
    loudest_data=node_data.loudest_data,
    aspects=node_space.aspects,
    affecting=node_space.affecting,
    lasting=node_space.is_lasting,
    draft=lambda spec: spec,
    moved=lambda draft, move, rng: move(draft, rng) or draft,
    mended=node_space.mended,
)


def kind_of(spec: S) -> Kind[S]:
    """The kind of a spec."""
    kind: Kind[Any] = CONV if isinstance(spec, ConvSpec) else NODE
    return cast(Kind[S], kind)
