"""One operator between Q and DQ, or on codes: the families besides convolution."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType, ModuleType

from corpus.case import Case
from generators.choices import Choices
from generators.operators.node import blockwise, conv_more, elementwise, matmul, movement, pool
from generators.operators.node.build import LAYOUTS, build, operator_of
from generators.operators.node.coincidences import coincide
from generators.operators.node.coverage import all_cells, cells_of
from generators.operators.node.describe import describe
from generators.operators.node.spec import NodeSpec, Operand, Tail
from generators.operators.node.words import parameters

_MODULES: Mapping[str, ModuleType] = MappingProxyType(
    {
        "matmul": matmul,
        "elementwise": elementwise,
        "pool": pool,
        "movement": movement,
        "blockwise": blockwise,
        "other convolutions": conv_more,
    }
)


def _drawing(family: str) -> Callable[[Choices, str], tuple[NodeSpec, frozenset[str]]]:
    """How a family draws: its own choices first, then a coincidence."""
    own = _MODULES[family].spec

    def draw(choices: Choices, scales: str) -> tuple[NodeSpec, frozenset[str]]:
        found, cells = own(choices, scales)
        found = coincide(choices, found)
        return found, cells.union(cells_of(family, found))

    return draw


FAMILIES: Mapping[str, Callable[[Choices, str], tuple[NodeSpec, frozenset[str]]]] = (
    MappingProxyType({name: _drawing(name) for name in _MODULES})
)
CELLS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: (*module.ALL_CELLS, *all_cells(name)) for name, module in _MODULES.items()}
)


def node_case(family: str, choices: Choices, scales: str) -> Case:
    """A case of a family, with its cells."""
    spec, cells = FAMILIES[family](choices, scales)
    return replace(build(spec), cells=tuple(sorted(cells)))


__all__ = [
    "CELLS",
    "FAMILIES",
    "LAYOUTS",
    "NodeSpec",
    "Operand",
    "Tail",
    "build",
    "describe",
    "node_case",
    "operator_of",
    "parameters",
]
