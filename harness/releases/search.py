"""Which release to try next, so that few tell when a bug came and when it went."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from corpus.history import RIGHT, SAME

FEW = 8
"""So many releases are all tried; after so many that say nothing the search is given up."""


def next_release(versions: Sequence[str], words: Mapping[str, str], met_in: str) -> str | None:
    """The version to try next, None when nothing more is to learn.

    ``versions`` are in order, ``words`` what those tried so far made of the case, ``met_in`` the
    release that the bug was found in. First that one, then the oldest and the newest, then halves
    between a release with the bug and one without; at last the neighbours of each place where it
    comes or goes, for it may come and go more often. What says nothing (``unavailable``) is passed
    over like a commit that ``git bisect`` skips; at an end it is taken to reach up to the first
    release that says something.
    """
    if len(versions) <= FEW:
        return next((each for each in versions if each not in words), None)
    if met_in in versions and met_in not in words:
        return met_in
    tried = [n for n, each in enumerate(versions) if each in words]
    telling = [n for n in tried if words[versions[n]] in (RIGHT, SAME)]
    if not telling and len(tried) >= FEW:
        return None
    changes = [
        (low, high)
        for low, high in pairwise(telling)
        if words[versions[low]] != words[versions[high]]
    ]
    ends = _ends(len(versions), tried, telling)
    inside = (_middle(tried, *each) for each in changes)
    outside = (n for low, high in changes for n in (low - 1, high + 1))
    wanted = (n for n in (*ends, *inside, *outside) if n is not None and n not in tried)
    return next((versions[n] for n in wanted if 0 <= n < len(versions)), None)


def _ends(count: int, tried: Sequence[int], telling: Sequence[int]) -> Iterator[int | None]:
    """The oldest release and the newest; where they say nothing, halves up to one that does."""
    yield from (0, count - 1)
    if not telling:
        yield from (_middle(tried, low, high) for low, high in pairwise(tried))
        return
    yield _middle(tried, max((n for n in tried if n < telling[0]), default=-1), telling[0])
    after = min((n for n in tried if n > telling[-1]), default=count)
    yield _middle(tried, telling[-1], after)


def _middle(tried: Sequence[int], low: int, high: int) -> int | None:
    """The untried release between two that is nearest to their middle."""
    untried = [n for n in range(low + 1, high) if n not in tried]
    return min(untried, key=lambda n: abs(2 * n - low - high), default=None)
