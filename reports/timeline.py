"""The history of a bug in words and as a line of releases."""

from collections.abc import Iterator, Sequence

from corpus.history import RIGHT, SAME, UNTRIED, History, Release
from reports.text import short, visible

_TONES = {SAME: "bad", RIGHT: "good", UNTRIED: "untried"}


def tone(release: Release) -> str:
    """How a page shows a release: ``good``, ``bad``, ``untried``, or ``silent``."""
    return _TONES.get(release.word, "silent")


def sentences(history: History) -> tuple[str, ...]:
    """When the bug came and when it went, the answer first."""
    if history.first_bad is None:
        return ("No release that was tried shows it.", *_own(history))
    said = [_came(history), _went(history), *_own(history)]
    if history.comes_and_goes:
        said.append(f"It comes and goes: {_turns(history)}.")
    if history.interrupted:
        said.append("Interrupted: not every release that would tell was tried.")
    return tuple(said)


def _own(history: History) -> Iterator[str]:
    """A finding that its own release does not show again was not of its case alone."""
    words = {each.version: each.word for each in history.telling}
    if words.get(history.met_in) == RIGHT:
        yield f"It was found in {short(history.met_in)}, which is right on the case now."


def _came(history: History) -> str:
    first, before = history.first_bad or "", history.last_good
    if before is None:
        return (
            f"First bad release: {short(first)} or earlier; it is the oldest that was judged."
        )
    return f"First bad release: {short(first)}; {short(before)} is right{_gap(history, before, first)}."


def _went(history: History) -> str:
    last, after = history.last_bad or "", history.first_good
    if after is None:
        return f"First good release: none; {short(last)}, the newest that was judged, has the bug."
    return f"First good release: {short(after)}; {short(last)} has the bug{_gap(history, last, after)}."


def _gap(history: History, low: str, high: str) -> str:
    """What lies between two releases and does not tell."""
    silent = history.between(low, high)
    named = ", ".join(f"{short(each.version)} ({each.word})" for each in silent[:4])
    more = f" and {len(silent) - 4} more" if len(silent) > 4 else ""
    return f", between them {named}{more}" if silent else ""


def _turns(history: History) -> str:
    turns = (
        f"{'back' if group[0].word == SAME else 'gone'} in {short(group[0].version)}"
        for group in history.stretches[1:]
    )
    return ", ".join(turns)


def line(release: Release) -> str:
    """``1.20.1    the same bug``, with what it said where that matters."""
    text = f"{short(release.version).ljust(10)} {release.word.ljust(12)}"
    return f"{text} {short(release.message, 160)}".rstrip()


def render(history: History) -> str:
    """The console's table, and the answer under it; runs of releases that were not tried are one line."""
    title = (
        f"{visible(history.finding)}  {visible(history.backend)}  {visible(history.signature)}"
    )
    rows = [f"  {each}" for each in _rows(history.releases)]
    answers = [f"  {each}" for each in sentences(history)]
    return "\n".join([f"{title}  ({visible(history.package)})", *rows, *answers]) + "\n"


def _rows(releases: Sequence[Release]) -> list[str]:
    rows: list[str] = []
    skipped = 0
    for each in releases:
        if each.word == UNTRIED:
            skipped += 1
            continue
        rows += _skipped(skipped)
        rows.append(line(each))
        skipped = 0
    return rows + _skipped(skipped)


def _skipped(count: int) -> list[str]:
    return [f"{'...'.ljust(10)} {count} not tried"] if count else []
