"""A short run of every kind of graph; ``make equivalence`` is the long one."""

import pytest

from tests.equivalence.compare import SOURCES, compare

INPUTS = 100
NOT_JUDGED = {  # drawn on purpose
    "its scale is not a positive, finite, normal float32 number",
    "float32 may order values of several scales in other ways",
}


@pytest.mark.parametrize("source", SOURCES)
def test_fused_equals_unfused(source: str) -> None:
    found = compare(source, INPUTS)
    assert not found.refused
    assert set(found.silent) <= NOT_JUDGED
    assert found.silent.total() < INPUTS // 10
    assert found.rules
    assert found.outside == 0
    assert found.x0_differ == 0
