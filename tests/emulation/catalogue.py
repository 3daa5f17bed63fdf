"""Every check, family by family."""

from tests.emulation import pooling, quantize
from tests.emulation.check import Check

CHECKS: tuple[Check, ...] = (*pooling.CHECKS, *quantize.CHECKS)
