"""Since when: a bug's case replayed in one release after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from corpus.history import UNAVAILABLE, History, Release, in_order
from harness.backends.catalogue import PLAIN
from harness.backends.description import Unavailable
from harness.backends.pool import Pool
from harness.backends.spec import BackendSpec
from harness.bench import Contestant, set_up
from harness.errors import BadInput
from harness.releases.bug import KeptBug, replayed
from harness.releases.environments import Missing, Releases
from harness.releases.search import next_release


def trace(
    bug: KeptBug, package: str, versions: Sequence[str], releases: Releases, *, timeout: float
) -> Iterator[History]:
    """The history after each release that was tried, the whole one last; oldest first in each.

    ``timeout`` is after how many seconds without an answer an engine hangs.
    """
    tried: dict[str, Release] = {}
    finding = bug.finding
    history = History(
        finding=finding.id,
        signature=bug.words,
        backend=replace(bug.spec, python="").text,
        package=package,
        releases=in_order(versions, tried),
        met_in=finding.backend.version,
    )
    while version := _next(versions, tried, finding.backend.version):
        tried[version] = _try(bug, version, releases.python_with(version), timeout)
        yield replace(history, releases=in_order(versions, tried))


def _next(versions: Sequence[str], tried: dict[str, Release], met_in: str) -> str | None:
    return next_release(versions, {each: tried[each].word for each in tried}, met_in)


def _try(bug: KeptBug, version: str, python: str | Missing, timeout: float) -> Release:
    if isinstance(python, Missing):
        return Release(version, UNAVAILABLE, python.reason)
    spec = replace(bug.spec, python=python)
    with Pool(timeout=timeout) as pool:
        return _asked(pool, spec, bug, version)


def _asked(pool: Pool, spec: BackendSpec, bug: KeptBug, version: str) -> Release:
    """What the release makes of the case, if its adapter can be used."""
    description = pool.describe(spec)
    if isinstance(description, Unavailable):
        return Release(version, UNAVAILABLE, description.reason)
    try:
        bench = set_up(pool, [Contestant(spec, PLAIN)])
        return replayed(bench, spec, bug, version)
    except BadInput as refused:  # an option it lacks, or a worker that does not start again
        return Release(version, UNAVAILABLE, str(refused))
