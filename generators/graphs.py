"""Whole cases, by family: from one seed for campaigns, as Hypothesis strategies for properties."""

from dataclasses import replace

from hypothesis import strategies as st

from corpus.case import Case
from generators import qparams
from generators.cells import ALL_CELLS, cells_of
from generators.choices import Choices, HypothesisChoices, SpreadChoices
from generators.operators import chains, networks, node, patterns
from generators.operators.conv import build, conv_specs

GRAPH_CELLS = (*chains.ALL_CELLS, *patterns.ALL_CELLS, *networks.ALL_CELLS)
GRAPHS = (
    chains.chains,
    *(networks.networks for _ in range(5)),
    *(patterns.patterns for _ in range(4)),
)  # chains have the fewest cells
OTHER_CONVOLUTIONS = "other convolutions"
_CONVOLUTIONS = (*("conv",) * 4, OTHER_CONVOLUTIONS)
FAMILIES = (
    *("conv", "matmul", "elementwise", "pool", "movement", "blockwise"),
    *("graphs", "all"),
)
_ALL = (*FAMILIES[:-1], "elementwise")  # which has the most operators


def all_cells(family: str) -> tuple[str, ...]:
    """The cells that a complete generator of a family reaches.

    Raises:
        ValueError: the family is unknown.
    """
    _require_known(family, "any")
    if family == "all":
        return tuple(each for name in FAMILIES[:-1] for each in all_cells(name))
    if family == "conv":
        return (*ALL_CELLS, *node.CELLS[OTHER_CONVOLUTIONS])
    return GRAPH_CELLS if family == "graphs" else node.CELLS[family]


def draw_case(family: str, scales: str, seed: int) -> Case:
    """The case number ``seed`` of a family and a scale policy; the same bytes every time.

    Cases of numbers that follow each other are of different operators and kinds.

    Raises:
        ValueError: the family or the policy is unknown.
    """
    case = case_of(SpreadChoices(seed), family, scales)
    return replace(case, origin=f"{family} {scales} {seed}")


def cases(family: str = "conv", *, scales: str = "any") -> st.SearchStrategy[Case]:
    """Cases of a family; they shrink towards one element, one channel, one tap, scales of 1.

    Raises:
        ValueError: the family or the policy is unknown.
    """
    _require_known(family, scales)

    @st.composite
    def drawn(draw: st.DrawFn) -> Case:
        return case_of(HypothesisChoices(draw), family, scales)

    return drawn()


def _require_known(family: str, scales: str) -> None:
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}, expected one of {', '.join(FAMILIES)}")
    if scales not in qparams.POLICIES:
        known = ", ".join(qparams.POLICIES)
        raise ValueError(f"unknown scale policy {scales!r}, expected one of {known}")


def case_of(choices: Choices, family: str, scales: str) -> Case:
    """A case of a family and a scale policy by any choices.

    Raises:
        ValueError: the family or the policy is unknown.
    """
    _require_known(family, scales)
    if family == "all":
        family = choices.spread(_ALL)
    if family == "graphs":
        return choices.spread(GRAPHS)(choices, scales)
    if family in node.FAMILIES:
        return node.node_case(family, choices, scales)
    if choices.spread(_CONVOLUTIONS) == OTHER_CONVOLUTIONS:
        return node.node_case(OTHER_CONVOLUTIONS, choices, scales)
    spec = conv_specs(choices, scales)
    return replace(build(spec), cells=cells_of(spec))
