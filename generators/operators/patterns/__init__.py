"""Small graphs of a few Q, D and operators, each the bait of rewrites that go wrong.

A chain of convolutions has one reader for each tensor and fitting parameters everywhere. Here
tensors have two readers, or are outputs as well; parameters nearly agree; defaults are left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from corpus.case import Case
from generators.choices import Choices
from generators.operators.patterns import between, pairs, sharing
from generators.operators.patterns.drawing import RELATIONS, Pattern

PATTERNS: Mapping[str, Callable[[Pattern], None]] = MappingProxyType(
    {**pairs.PATTERNS, **sharing.PATTERNS, **between.PATTERNS}
)
"""What grows each pattern, by its name."""

ALL_CELLS = (
    *(f"pattern {name}" for name in PATTERNS),
    "pairs that are equal",
    *(f"pairs whose {relation}" for relation in RELATIONS if " " in relation),
    *(*pairs.CELLS, *sharing.CELLS, *between.CELLS),
)


def patterns(choices: Choices, scales: str) -> Case:
    """One pattern, with its inputs; ``cells`` are filled in."""
    name = choices.spread(tuple(PATTERNS))
    pattern = Pattern(choices, scales, name)
    PATTERNS[name](pattern)
    return replace(pattern.graph.case(), cells=tuple(sorted(pattern.cells)))


__all__ = ["ALL_CELLS", "PATTERNS", "patterns"]
