"""``--like MODEL``: what was found in a person's model, before the campaign begins."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from corpus.load import InputError, load_model
from generators.like import Mined, mine
from harness.campaign.parts import LIKE
from harness.campaign.plan import Plan
from harness.errors import BadInput
from reports.text import plural, short, visible

MOST_LINES = 40
_NAME = 90  # letters


def likened(plan: Plan, path: Path | None, *, quiet: bool) -> tuple[Plan, Mined | None]:
    """The plan with the parts of a model, and all that was found in it; says so unless ``quiet``.

    Raises:
        InputError, BadInput: see `mined_from`.
    """
    if path is None:
        return plan, None
    mined = mined_from(path)
    if not quiet:
        print(*lines(path, mined), sep="\n", file=sys.stderr)
    return replace(plan, family=LIKE, parts=mined.parts), mined


def mined_from(path: Path) -> Mined:
    """The parts of a model file.

    Raises:
        InputError: it is no valid model.
        BadInput: nothing in it can be varied.
    """
    model = load_model(path)
    try:
        mined = mine(model)
    except InputError as error:
        raise BadInput(f"--like {path}: {error}") from error
    if not mined.parts:
        why = mined.left[0] if mined.left else "it computes nothing"
        raise BadInput(f"--like {path}: no part of it can be varied: {visible(why)}")
    return mined


def lines(path: Path, mined: Mined) -> Iterator[str]:
    """The patterns with how many of each, the most frequent first; then what is left out."""
    yield (
        f"  like {short(path.name)}: {plural(len(mined.patterns), 'pattern')} "
        f"in {plural(len(mined.parts), 'shape')}"
    )
    ordered = sorted(mined.patterns, key=lambda pattern: -pattern[1])
    for name, count in ordered[:MOST_LINES]:
        yield f"  {count:6,} x {short(name, _NAME)}"
    if len(ordered) > MOST_LINES:
        yield f"  and {len(ordered) - MOST_LINES:,} more, see like/patterns.json in the run's folder"
    yield from (f"  not varied: {visible(each)}" for each in mined.left)
