"""A fault: one deliberate, named deviation that imitates a real bug."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.kernels.parameters import ConvParameters
from engine.kernels.quantize_linear import Rule
from engine.kernels.stages import Stages
from engine.profiles import Profile


@dataclass(frozen=True, slots=True)
class Fault:
    """What it replaces, and when that can show.

    ``key`` names the variant, ``id`` the fault in the catalogue; ``source`` is where the bug was
    seen; ``trigger`` the smallest condition on a convolution under which values can differ;
    ``stages`` the stages of the kernel it replaces, by name; ``quantize`` the rounding of
    QuantizeLinear; ``guards_off`` the guards of the fusion rules it removes.
    """

    key: str
    title: str
    source: str
    trigger: Callable[[ConvParameters], bool] = field(compare=False)
    stages: Mapping[str, Callable[..., Any]] = field(default_factory=dict, compare=False)
    quantize: Rule | None = field(default=None, compare=False)
    guards_off: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The entry of the catalogue that this is a variant of."""
        return self.key.split(".")[0]


def apply_faults(
    stages: Stages, profile: Profile, faults: Sequence[Fault]
) -> tuple[Stages, Profile, frozenset[str]]:
    """Stages and profile with every replacement made, later faults winning; the guards removed."""
    guards_off: set[str] = set()
    for fault in faults:
        if fault.stages:
            stages = replace(stages, **fault.stages)
        if fault.quantize:
            profile = replace(profile, quantize=fault.quantize)
        guards_off.update(fault.guards_off)
    return stages, profile, frozenset(guards_off)
