"""``quantdiff since``: in which release a bug came, and in which it went."""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click

from corpus.history import (
    SAME,
    UNAVAILABLE,
    UNTRIED,
    History,
    Release,
    read_history,
    together,
)
from harness.cli.options import free_place, json_option, timeout_option
from harness.errors import BadInput
from harness.releases.bug import KeptBug, read_bug
from harness.releases.environments import Environments, default_folder
from harness.releases.packages import BY_BACKEND, in_version_order
from harness.releases.trace import trace
from harness.releases.versions import ALL, asked_for
from reports import html, timeline
from reports.folder import write_history

PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@click.command()
@click.argument("folder", metavar="FINDING")
@click.option("--package", metavar="NAME", help="What to install [default: by the backend].")
@click.option(
    "--versions",
    default=ALL,
    show_default=True,
    metavar="V",
    help="1.17.3,1.18.1 or 1.17..1.20 or all; many are bisected.",
)
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="PY",
    help="An interpreter: the release it has, and wheels for it; repeatable [default: this one].",
)
@click.option(
    "--envs",
    metavar="DIR",
    help="Where environments are kept for next time [default: in your cache folder].",
)
@click.option("--html", "page", metavar="FILE", help="Write the timeline's page here.")
@json_option()
@timeout_option()
def since(
    folder: str,
    package: str | None,
    versions: str,
    pythons: tuple[str, ...],
    envs: str | None,
    page: str | None,
    as_json: bool,
    timeout: float,
) -> int:
    """Replay FINDING in other releases of its engine; status 1 if the newest still has the bug.

    What is found joins since.json beside the finding, and its page. pip gets the releases, by its
    own settings (PIP_INDEX_URL and so on), as wheels only.
    """
    bug = read_bug(Path(folder))
    place = free_place("--html", page) if page is not None else None
    releases = Environments(
        package=_package(bug, package),
        folder=Path(envs).expanduser().absolute() if envs else default_folder(),
        pythons=(*(pythons or (sys.executable,)), *_own_python(bug)),
        told=lambda line: print(f"  {line}", file=sys.stderr),
    )
    wanted = asked_for(versions, releases.versions)
    histories = trace(bug, releases.package, wanted, releases, timeout=timeout)
    history, interrupted = _last(histories)
    if history is None:
        return 3
    before = read_history(Path(folder))
    kept = together(before, history, in_version_order) if before else history
    write_history(kept, Path(folder))
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(html.render_history(history), encoding="utf-8")
    print(history.to_json() if as_json else timeline.render(history), end="")
    return 3 if interrupted else _status(history)


def _package(bug: KeptBug, given: str | None) -> str:
    name = given or BY_BACKEND.get(bug.spec.name, "")
    if not name:
        raise BadInput(
            f"--package is missing: no package is known for backend {bug.spec.name}"
        )
    if not PACKAGE.fullmatch(name):
        raise BadInput(f"--package {name!r} is no name of a package")
    return name


def _own_python(bug: KeptBug) -> tuple[str, ...]:
    """The interpreter that the bug was found in, if it is still there: it has that release."""
    python = bug.spec.python
    return (python,) if python and shutil.which(Path(python).expanduser()) else ()


def _last(histories: Iterator[History]) -> tuple[History | None, bool]:
    """The last history, each release said on stderr as it is tried; Ctrl-C ends it early."""
    history: History | None = None
    said: set[Release] = set()
    with suppress(KeyboardInterrupt):
        for history in histories:
            new = [e for e in history.releases if e.word != UNTRIED and e not in said]
            for each in new:
                print(f"  {timeline.line(each)}", file=sys.stderr)
            said.update(new)
        return history, False
    return (replace(history, interrupted=True) if history else None), True


def _status(history: History) -> int:
    """1 where the newest release that tells has the bug.

    Raises:
        BadInput: none can be had at all.
    """
    tried = [each for each in history.releases if each.word != UNTRIED]
    if all(each.word == UNAVAILABLE for each in tried):
        raise BadInput(f"no release of {history.package} can be used: {tried[-1].message}")
    telling = history.telling
    return 1 if telling and telling[-1].word == SAME else 0
