"""Versions as a person writes them: ``1.17.3,1.18.1``, ``1.20..1.28``, ``all``."""

from collections.abc import Callable

from packaging.version import Version

from harness.errors import BadInput
from harness.releases.environments import Missing
from harness.releases.packages import in_version_order, parsed

ALL = "all"


def asked_for(text: str, listed: Callable[[], tuple[str, ...] | Missing]) -> tuple[str, ...]:
    """The versions that the text names, oldest first.

    ``A..B`` and ``all`` are those of ``listed``; either end of a range may be left out.

    Raises:
        BadInput: the text is malformed, it names no release, or the releases cannot be listed.
    """
    if text != ALL and ".." not in text:
        return in_version_order(_named(each) for each in text.split(","))
    low, _, high = text.partition("..") if text != ALL else ("", "", "")
    first, last = (parsed(_named(each)) if each else None for each in (low, high))
    found = listed()
    if isinstance(found, Missing):
        raise BadInput(f"--versions {text}: {found.reason}")
    chosen = tuple(
        each
        for each in found
        if (first is None or Version(each) >= first)
        and (last is None or Version(each) <= last)
    )
    if not chosen:
        raise BadInput(f"--versions {text} names no release that can be had")
    return chosen


def _named(text: str) -> str:
    if parsed(text.strip()) is None:
        raise BadInput(
            f"--versions: {text!r} is no version; write 1.17.3,1.18.1 or 1.17..1.20 or all"
        )
    return text.strip()
