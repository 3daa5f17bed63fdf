"""A fault: one deliberate, named deviation that imitates a real bug."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Stages, correct_stages
from engine.plan import Plan
from engine.profiles import Profile


@dataclass(frozen=True, slots=True)
class Fault:
    """What it replaces, and when that can show.

    ``key`` names the variant, ``id`` the fault in the catalogue; ``source`` is where the bug was
    seen; ``trigger`` the smallest condition on an operation, whose parameters are a ``record``,
    under which values can differ; ``stages`` the stages it replaces, by name: those of
    convolutions, or ``"family.stage"``; ``guards_off``
    the guards of the fusion rules it removes, as `engine.fusion.match.View.refuse` reads them: it
    can then show where one of them would have stopped a rule, or where its ``"rewrite."`` stage gave
    something else, and needs no ``trigger``. ``parts``
    are the two faults of which it is made, if it is. What it ``breaks`` may have another shape, or
    no answer at all: our engine says `engine.errors.Unanswered` then. What ``reads_beside`` its
    tensors may be something else in another run; where no formula is known it has no stages.
    """

    key: str
    title: str
    source: str
    trigger: Callable[[Any], bool] = field(default=lambda _: False, compare=False)
    stages: Mapping[str, Callable[..., Any]] = field(default_factory=dict, compare=False)
    guards_off: tuple[str, ...] = ()
    record: type | tuple[type, ...] = ConvParameters
    parts: tuple["Fault", ...] = ()
    breaks: bool = False
    reads_beside: bool = False

    @property
    def id(self) -> str:
        """The entry of the catalogue that this is a variant of; of two at once, both."""
        return "+".join(each.split(".")[0] for each in self.key.split("+"))

    @property
    def has_formula(self) -> bool:
        """Whether our engine computes what it gives."""
        return bool(self.stages or self.guards_off)

    @property
    def acts_on_rules(self) -> bool:
        """Whether it changes what is fused, so that the correct plan does not tell its places."""
        return bool(self.guards_off) or any(
            each.startswith("rewrite.") for each in self.stages
        )

    def places(self, plan: Plan) -> tuple[str, ...]:
        """The source nodes of the operations in which it can show; ``plan`` has the fault."""
        if self.parts:
            return tuple(
                dict.fromkeys(node for each in self.parts for node in each.places(plan))
            )
        steps = (
            each.nodes
            for each in plan.steps
            if isinstance(each.parameters, self.record) and self._can_show(each.parameters)
        )
        of_rules = {each for each in self.stages if each.startswith("rewrite.")}
        changed = of_rules or {*self.guards_off}
        removed = (each.nodes for each in plan.removed if not changed.isdisjoint(each.guards))
        return tuple(dict.fromkeys(node for nodes in (*steps, *removed) for node in nodes))

    def _can_show(self, parameters: Any) -> bool:
        with np.errstate(all="ignore"):  # of extreme scales, infinity
            return self.trigger(parameters)


def together(first: Fault, second: Fault) -> Fault:
    """Two faults at once; where both replace a stage, the second wins."""
    return Fault(
        f"{first.key}+{second.key}",
        f"{first.title}; {second.title}",
        f"{first.source}; {second.source}",
        stages={**first.stages, **second.stages},
        guards_off=(*first.guards_off, *second.guards_off),
        parts=(first, second),
    )


@dataclass(frozen=True, slots=True)
class Changed:
    """What faults make of a profile: its stages, those of other families, the guards removed."""

    profile: Profile
    stages: Stages
    replaced: Mapping[str, Callable[..., Any]]
    guards_off: frozenset[str]


def apply_faults(profile: Profile, faults: Sequence[Fault]) -> Changed:
    """Stages and profile with every replacement made, later faults winning; the guards removed."""
    stages = correct_stages(profile)
    replaced: dict[str, Callable[..., Any]] = {}
    guards_off: set[str] = set()
    for fault in faults:
        own = {name: each for name, each in fault.stages.items() if "." not in name}
        replaced |= {name: each for name, each in fault.stages.items() if "." in name}
        if own:
            stages = replace(stages, **own)
        guards_off.update(fault.guards_off)
    return Changed(profile, stages, replaced, frozenset(guards_off))
