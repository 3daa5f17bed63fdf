"""Shrinking a failing case without changing which bug it shows."""

from harness.reduce.problem import Reduction
from harness.reduce.reducer import reduce

__all__ = ["Reduction", "reduce"]
