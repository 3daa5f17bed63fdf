"""A combination that the generator cannot produce is a gap, and gaps are where bugs live."""

from collections import Counter

import pytest

from generators.graphs import all_cells, draw_case
from generators.qparams import POLICIES

CASES = 8000


@pytest.mark.parametrize(("family", "most"), [("conv", CASES), ("graphs", CASES)])
def test_every_cell_is_reached(family: str, most: int) -> None:
    hits: Counter[str] = Counter()
    for seed in range(most):
        hits.update(draw_case(family, POLICIES[seed % len(POLICIES)], seed).cells)
    cells = all_cells(family)
    missing = [cell for cell in cells if cell not in hits]
    assert not missing, f"{len(missing)} cells were never drawn: {'; '.join(missing)}"
    assert len(cells) == len(set(cells))


def test_the_cells_of_all_families_are_distinct() -> None:
    cells = all_cells("all")
    assert len(cells) == len(set(cells)) > 1000
