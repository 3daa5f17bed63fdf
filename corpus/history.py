"""The history of a bug: what each release of an engine made of its case. It is ``since.json``."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from corpus.load import InputError

FILE = "since.json"
SCHEMA = 1
MOST_BYTES = 1 << 22

RIGHT = "right"
SAME = "the same bug"
ANOTHER = "another bug"
REFUSED = "refused"
CRASHED = "crashed"
TIMED_OUT = "timed out"
UNJUDGED = "not judged"
UNAVAILABLE = "unavailable"
UNTRIED = "not tried"
WORDS = (
    *(RIGHT, SAME, ANOTHER, REFUSED, CRASHED, TIMED_OUT),
    *(UNJUDGED, UNAVAILABLE, UNTRIED),
)


@dataclass(frozen=True, slots=True)
class Release:
    """One release: its version, one of ``WORDS``, and what it said where the word is not enough."""

    version: str
    word: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """Every release that was asked for, oldest first, tried or not.

    ``signature`` is the finding's without its backend, ``met_in`` the release that it was found in. A release that is neither right nor has the
    bug (``another bug``, ``unavailable``, ...) says nothing about when it came or went.
    """

    finding: str
    signature: str
    backend: str
    package: str
    releases: tuple[Release, ...]
    met_in: str = ""
    interrupted: bool = False

    @property
    def telling(self) -> tuple[Release, ...]:
        """The releases that are right or have the bug."""
        return tuple(each for each in self.releases if each.word in (RIGHT, SAME))

    @property
    def stretches(self) -> tuple[tuple[Release, ...], ...]:
        """The telling releases in groups of equal words: more than one of a bug means it came back."""
        groups = groupby(self.telling, key=lambda each: each.word)
        return tuple(tuple(group) for _, group in groups)

    @property
    def comes_and_goes(self) -> bool:
        """Whether the bug was gone in between."""
        return sum(group[0].word == SAME for group in self.stretches) > 1

    @property
    def first_bad(self) -> str | None:
        """The first telling release that has the bug."""
        bad = (each.version for each in self.telling if each.word == SAME)
        return next(bad, None)

    @property
    def last_good(self) -> str | None:
        """The telling release right before ``first_bad``; None where there is none."""
        versions = [each.version for each in self.telling]
        index = versions.index(self.first_bad) if self.first_bad is not None else 0
        return versions[index - 1] if index else None

    @property
    def last_bad(self) -> str | None:
        """The last telling release that has the bug."""
        bad = [each.version for each in self.telling if each.word == SAME]
        return bad[-1] if bad else None

    @property
    def first_good(self) -> str | None:
        """The telling release right after ``last_bad``; None where there is none."""
        versions = [each.version for each in self.telling]
        if self.last_bad is None or self.last_bad == versions[-1]:
            return None
        return versions[versions.index(self.last_bad) + 1]

    def between(self, low: str, high: str) -> tuple[Release, ...]:
        """The releases between two, without them."""
        versions = [each.version for each in self.releases]
        return self.releases[versions.index(low) + 1 : versions.index(high)]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; besides the fields, the answers that are made of them."""
        return {
            "schema": SCHEMA,
            **asdict(self),
            **{name: getattr(self, name) for name in _ANSWERS},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "History":
        """The inverse of ``to_dict``; anything else raises ``TypeError``, ``KeyError`` or ``ValueError``."""
        given = {key: data[key] for key in data if key not in ("schema", *_ANSWERS)}
        releases = tuple(Release(**each) for each in data["releases"])
        texts = [each for release in releases for each in asdict(release).values()]
        texts += [
            data[key] for key in ("finding", "signature", "backend", "package", "met_in")
        ]
        if data["schema"] != SCHEMA or not all(isinstance(each, str) for each in texts):
            raise ValueError("written by another quantdiff")
        if any(each.word not in WORDS for each in releases):
            raise ValueError("a release has a word that means nothing here")
        if not all(_VERSION.fullmatch(each.version) for each in releases):
            raise ValueError("a release has no version")
        return cls(**{**given, "releases": releases})

    def to_json(self) -> str:
        """The text of ``since.json``."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


_VERSION = re.compile(r"[A-Za-z0-9.!+_-]{1,64}")
_ANSWERS = ("first_bad", "last_good", "last_bad", "first_good", "comes_and_goes")


def read_history(folder: Path) -> History | None:
    """The history in a finding's folder, None where there is none.

    Raises:
        InputError: the file is not what it should be.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path} is larger than {MOST_BYTES} bytes; remove it")
    try:
        return History.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({error}); remove it") from None


def together(
    old: History, new: History, ordered: Callable[[Iterable[str]], tuple[str, ...]]
) -> History:
    """The new history with what an older one knows besides, if both are of one bug.

    ``ordered`` puts versions in order.
    """
    if replace(old, releases=(), interrupted=False) != replace(
        new, releases=(), interrupted=False
    ):
        return new
    tried = {
        each.version: each for each in (*old.releases, *new.releases) if each.word != UNTRIED
    }
    versions = ordered(each.version for each in (*old.releases, *new.releases))
    return replace(new, releases=in_order(versions, tried))


def in_order(versions: Sequence[str], releases: Mapping[str, Release]) -> tuple[Release, ...]:
    """A release for each version, in that order; ``not tried`` where there is none."""
    return tuple(releases.get(each, Release(each, UNTRIED)) for each in versions)
