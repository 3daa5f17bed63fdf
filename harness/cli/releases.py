"""The last word of a campaign that ran several releases of one engine: what changed."""

from collections.abc import Iterator
from pathlib import Path

from harness.bench import Bench
from harness.events import (
    CampaignFinished,
    CampaignInterrupted,
    Event,
    FindingSaved,
    ReleasesCompared,
    read,
)
from harness.releases.compare import compare, lines
from reports.model import LOG_NAME


def comparing(events: Iterator[Event], bench: Bench, folder: Path) -> Iterator[Event]:
    """The same events, and before the last one what changed between releases, if there are several.

    Ctrl-C while findings are replayed leaves what is known without, and the campaign interrupted.
    """
    for event in events:
        if isinstance(event, CampaignFinished | CampaignInterrupted) and lines(bench):
            yield from _ending(event, bench, folder)
        else:
            yield event


def _ending(
    event: CampaignFinished | CampaignInterrupted, bench: Bench, folder: Path
) -> Iterator[Event]:
    interrupt: KeyboardInterrupt | None = None
    try:
        found = _compared(bench, folder, confirm=isinstance(event, CampaignFinished))
    except KeyboardInterrupt as came:
        interrupt, event = came, CampaignInterrupted(event.seconds, str(came))
        found = _compared(bench, folder, confirm=False)
    if found is not None:
        yield found
    yield event
    if interrupt is not None:
        raise interrupt


def _compared(bench: Bench, folder: Path, *, confirm: bool) -> ReleasesCompared | None:
    """Findings are those of the log: a campaign that was resumed has some from before."""
    kept = {
        each.finding.id: each
        for each in read(folder / LOG_NAME)
        if isinstance(each, FindingSaved)
    }
    return compare(bench, tuple(kept.values()), folder, confirm=confirm)
