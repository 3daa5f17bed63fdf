"""Every check, family by family."""

from tests.emulation.check import Check

CHECKS: tuple[Check, ...] = ()
