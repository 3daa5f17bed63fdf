"""A combination that the generator cannot produce is a gap, and gaps are where bugs live."""

from collections import Counter

from generators.cells import ALL_CELLS
from generators.graphs import draw_case
from generators.qparams import POLICIES

CASES = 3000


def test_three_thousand_cases_reach_every_cell() -> None:
    hits: Counter[str] = Counter()
    for seed in range(CASES):
        hits.update(draw_case("conv", POLICIES[seed % len(POLICIES)], seed).cells)
    missing = [cell for cell in ALL_CELLS if cell not in hits]
    assert not missing, f"{len(missing)} cells were never drawn: {'; '.join(missing)}"
    assert len(ALL_CELLS) == len(set(ALL_CELLS)) > 300
