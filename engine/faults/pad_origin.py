"""Pads that a model gives and pads that auto_pad SAME chooses: two ways to get the sides wrong, two bugs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.faults.fault import Fault
from engine.kernels.geometry import Window


def by_origin(fault: Fault, right: Callable[..., Any]) -> tuple[Fault, Fault]:
    """A fault that swaps begin and end pads, one stage long, where they are given; where SAME chooses them, F16.

    ``right`` is the stage without the fault. SAME_LOWER taken for SAME_UPPER and SAME that begins at
    another pixel give the same values on most windows: what says SAME is wrong has one name.
    """
    ((stage, wrong),) = fault.stages.items()
    given, chosen = (_where(same, wrong, right) for same in (False, True))
    return (
        replace(
            fault,
            trigger=lambda p: fault.trigger(p) and not _is_same(p),
            stages={stage: given},
        ),
        replace(
            fault,
            key=f"{fault.key.replace(fault.id, 'F16')}.side",
            title=f"where auto_pad SAME chooses them, {fault.title}",
            trigger=lambda p: fault.trigger(p) and _is_same(p),
            stages={stage: chosen},
        ),
    )


def _where(
    same: bool, wrong: Callable[..., Any], right: Callable[..., Any]
) -> Callable[..., Any]:
    def stage(*given: Any) -> Any:
        is_same = next(_is_same(each) for each in given if _window(each) is not None)
        return (wrong if is_same == same else right)(*given)

    return stage


def _is_same(holder: Any) -> bool:
    window = _window(holder)
    return window is not None and window.auto_pad.startswith("SAME")


def _window(holder: Any) -> Window | None:
    """The window of a record, of a pool, of a record of one, or itself."""
    if isinstance(holder, Window):
        return holder
    found = getattr(holder, "window", None) or getattr(holder, "pool", None)
    return None if found is None else _window(found)
