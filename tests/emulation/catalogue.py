"""Every check, family by family."""

from tests.emulation import elementwise, pooling, quantize
from tests.emulation.check import Check

CHECKS: tuple[Check, ...] = (*elementwise.CHECKS, *pooling.CHECKS, *quantize.CHECKS)
