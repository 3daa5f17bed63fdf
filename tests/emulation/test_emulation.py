"""A short run of every check; ``make emulation`` is the long one."""

import pytest

from tests.emulation.catalogue import CHECKS
from tests.emulation.check import Check, count

ELEMENTS = 20_000


@pytest.mark.parametrize("check", CHECKS, ids=lambda each: f"{each.profile}-{each.operator}")
def test_the_profile_is_the_engine(check: Check) -> None:
    pytest.importorskip(check.needs, reason=f"{check.needs} is not installed")
    found = count(check, ELEMENTS)
    assert found.elements >= ELEMENTS
    assert found.mismatches == 0 or check.cause
