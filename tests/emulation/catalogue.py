"""Every check, family by family."""

from tests.emulation import pooling
from tests.emulation.check import Check

CHECKS: tuple[Check, ...] = (*pooling.CHECKS,)
