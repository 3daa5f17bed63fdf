"""The fault catalogue: deliberate deviations, each an entry of data."""

from engine.errors import EngineError
from engine.faults import (
    layout,
    matmul,
    padding,
    pair_saturation,
    rounding,
    scales,
    weights,
    zero_points,
)
from engine.faults.fault import Fault, apply_faults

CATALOGUE: tuple[Fault, ...] = (
    *layout.FAULTS,
    *padding.FAULTS,
    *zero_points.FAULTS,
    *scales.FAULTS,
    *rounding.FAULTS,
    *pair_saturation.FAULTS,
    *weights.FAULTS,
    *matmul.FAULTS,
)
"""Every fault; simpler explanations of the same values come first."""


def find(key: str) -> Fault:
    """The fault of that key; EngineError listing all keys otherwise."""
    for fault in CATALOGUE:
        if fault.key == key:
            return fault
    raise EngineError(
        f"fault {key!r} is unknown; known: {', '.join(each.key for each in CATALOGUE)}"
    )


__all__ = ["CATALOGUE", "Fault", "apply_faults", "find"]
