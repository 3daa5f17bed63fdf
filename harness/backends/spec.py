"""The name of a backend as a person writes it: ``NAME[:k=v,k=v...][@PYTHON]``."""

from dataclasses import dataclass, replace
from functools import lru_cache

from harness.backends import catalogue
from harness.errors import BadInput


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """Which backend, with which options, in which interpreter (ours where ``python`` is empty).

    ``name`` is a name of the catalogue or ``package.module:attribute``; ``options`` are sorted.
    """

    name: str
    options: tuple[tuple[str, str], ...] = ()
    python: str = ""

    @property
    def text(self) -> str:
        """The canonical spelling, which `parse` reads back."""
        return _spell(self.name, self.options, self.python)

    def with_option(self, key: str, value: str) -> "BackendSpec":
        """The same backend with one option set; an empty value takes it away."""
        options = {**dict(self.options), key: value}
        return replace(self, options=tuple(sorted((k, v) for k, v in options.items() if v)))


@lru_cache(maxsize=256)  # a campaign asks for it with every outcome
def _spell(name: str, options: tuple[tuple[str, str], ...], python: str) -> str:
    given = ",".join(f"{key}={value}" for key, value in options)
    return name + (f":{given}" if given else "") + (f"@{python}" if python else "")


def parse(text: str) -> BackendSpec:
    """Read a backend's name.

    Raises:
        BadInput: the text is malformed, or names no backend that is known.
    """
    front, _, python = text.partition("@")
    name, rest = _split_name(front)
    if "@" in text and not python:
        raise BadInput(
            f"backend {text!r}: no interpreter after '@'; write {name}@PATH/TO/python"
        )
    if ":" not in name and name not in catalogue.names():
        known = ", ".join(catalogue.names())
        raise BadInput(
            f"backend {name!r} is unknown; known are {known}, or write package.module:function"
        )
    return BackendSpec(name, _options(text, rest), python)


def _split_name(front: str) -> tuple[str, str]:
    name, _, rest = front.partition(":")
    attribute, _, behind = rest.partition(":")
    if rest and "=" not in attribute and name not in catalogue.names():
        return f"{name}:{attribute}", behind
    return name, rest


def _options(text: str, rest: str) -> tuple[tuple[str, str], ...]:
    pairs = [each.partition("=") for each in rest.split(",")] if rest else []
    for key, equals, value in pairs:
        if not (key and equals and value):
            wrong = key + equals + value
            raise BadInput(f"backend {text!r}: option {wrong!r} is not of the form key=value")
    if len({key for key, _, _ in pairs}) < len(pairs):
        raise BadInput(f"backend {text!r}: an option is given twice; give it once")
    return tuple(sorted((key, value) for key, _, value in pairs))
