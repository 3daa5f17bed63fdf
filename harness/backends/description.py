"""What a backend says about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.backends import catalogue
from harness.backends.spec import BackendSpec
from harness.errors import BadInput

ISA = "isa"
"""The option that holds a backend's process to an instruction set."""


@dataclass(frozen=True, slots=True)
class Description:
    """Facts about an available backend.

    ``profile`` is the profile of our engine that imitates its arithmetic; ``switches`` the names
    that its option ``disable`` takes; ``limits`` are in words; ``options`` maps each option to
    the values it takes (joined by ``+`` where ``many`` lists it), or is None where anything goes;
    ``replacements`` are switches that put another engine in its place, and so tell no cause.
    """

    name: str
    version: str = ""
    profile: str = "spec"
    taps: bool = False
    switches: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    options: Mapping[str, tuple[str, ...]] | None = None
    many: tuple[str, ...] = ()
    replacements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The backend cannot be used here, and why."""

    reason: str


def described(said: Mapping[str, Any]) -> Description:
    """The description from what an adapter's ``describe`` returned.

    Raises:
        TypeError: it has a key that means nothing here, or a value of the wrong type.
    """
    values: dict[str, Any] = {
        key: tuple(each) if isinstance(each, list) else each for key, each in said.items()
    }
    for key, kind in _KINDS.items():
        if not isinstance(values.get(key, kind()), kind):
            raise TypeError(f"{key} is {values[key]!r}, not of type {kind.__name__}")
    if (options := said.get("options")) is not None:
        if not isinstance(options, dict):
            raise TypeError(f"options is {options!r}, not of type dict")
        values["options"] = {key: tuple(allowed) for key, allowed in options.items()}
    return Description(**values)


_KINDS: dict[str, type] = {
    **dict.fromkeys(("name", "version", "profile"), str),
    **dict.fromkeys(("switches", "operators", "limits", "many", "replacements"), tuple),
    "taps": bool,
    "versions": dict,
}


def check_options(spec: BackendSpec, description: Description) -> None:
    """Refuse an option that the backend does not have, or a value that it does not take.

    Raises:
        BadInput: names the option and lists what is allowed.
    """
    levels = catalogue.find(spec.name).isa
    if description.options is None and ISA not in dict(spec.options):
        return
    options = {**(description.options or {}), **({ISA: tuple(levels)} if levels else {})}
    for key, value in spec.options:
        if key not in options:
            known = ", ".join(options) or "none"
            raise BadInput(f"backend {spec.text}: no option {key!r}; its options: {known}")
        allowed = options[key]
        for each in value.split("+") if key in description.many else (value,):
            if each not in allowed:
                choice = ", ".join(allowed)
                raise BadInput(f"backend {spec.text}: {key}={each} is not one of {choice}")
