"""``quantdiff fuzz``: a campaign."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import click

from harness.bench import Bench
from harness.campaign.store import Store
from harness.cli.interrupts import Interrupts
from harness.cli.keep import FINDING, as_json, keep_in
from harness.cli.options import (
    backend_option,
    free_folder,
    fresh_seed,
    json_option,
    open_bench,
    timeout_option,
)
from harness.errors import BadInput
from harness.events import BackendSkipped, Event, Handler, LogWriter
from harness.run import Campaign, Plan
from reports import summary
from reports.console import Console
from reports.folder import write_run
from reports.model import LOG_NAME, Report, replay

FAMILIES = (
    *("conv", "matmul", "elementwise", "pool", "movement", "blockwise"),
    *("conv-more", "graphs", "all"),
)
SCALES = ("any", "tie-free", "tie-rich", "saturating")
DEFAULT_SECONDS = 60.0


class Duration(click.ParamType[float]):
    """``90``, ``60s``, ``10m`` or ``2h`` as seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds; anything else is bad usage."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        if match is None or float(match[1]) == 0:
            self.fail(f"{value!r} is not a time; write 60s, 10m or 2h", param, ctx)
        return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


@click.command()
@backend_option()
@click.option("--cases", type=click.IntRange(min=1), metavar="N", help="Stop after N cases.")
@click.option(
    "--time", "seconds", type=Duration(), metavar="T", help="Stop after 60s, 10m, 2h."
)
@click.option("--seed", type=click.IntRange(min=0), metavar="S", help="Same seed, same cases.")
@click.option("--family", type=click.Choice(FAMILIES), default="conv", show_default=True)
@click.option("--scales", type=click.Choice(SCALES), default="any", show_default=True)
@click.option("--out", metavar="DIR", help="A folder that does not exist yet [default: out].")
@json_option("summary.json on stdout, nothing else.")
@timeout_option()
def fuzz(
    backends: tuple[str, ...],
    cases: int | None,
    seconds: float | None,
    seed: int | None,
    family: str,
    scales: str,
    out: str | None,
    as_json: bool,
    timeout: float,
) -> int:
    """Draw cases, run them on every backend, and make a finding of each new bug."""
    folder = free_folder(out)
    if cases is None and seconds is None:
        seconds = DEFAULT_SECONDS
    plan = Plan(
        seed=fresh_seed() if seed is None else seed,
        family=family,
        scales=scales,
        out=str(folder),
        cases=cases,
        seconds=seconds,
    )
    with (
        Interrupts() as interrupts,
        open_bench(backends, timeout, variants=True) as (bench, skipped),
    ):
        create(folder)
        try:
            _run(bench, plan, folder, skipped, timeout, interrupts)
        finally:
            interrupts.hold()
            report = write_pages(folder)
    if as_json:
        print(summary.render(report), end="")
    if interrupts.came:
        return 3
    return 1 if report.findings else 0


def _run(
    bench: Bench,
    plan: Plan,
    folder: Path,
    skipped: Sequence[tuple[str, str]],
    timeout: float,
    interrupts: Interrupts,
) -> None:
    """Run the campaign into its folder, until it is done or a person ends it."""
    store = Store(folder / "run.sqlite")
    keep = interrupts.holding(keep_in(folder, patience=timeout))
    campaign = Campaign(bench, plan, keep, store.note)
    events = interrupts.stopping(campaign.events())
    with (
        suppress(KeyboardInterrupt),
        _handlers(store, LogWriter(folder / LOG_NAME), Console(sys.stderr)) as handlers,
    ):
        for event in _with_skipped(events, skipped):
            with interrupts.held():
                for handler in handlers:
                    handler.handle(event)


def _with_skipped(
    events: Iterator[Event], skipped: Sequence[tuple[str, str]]
) -> Iterator[Event]:
    yield next(events)
    yield from (BackendSkipped(name, reason) for name, reason in skipped)
    yield from events


@contextmanager
def _handlers(*handlers: Handler) -> Iterator[Sequence[Handler]]:
    with ExitStack() as stack:
        for each in handlers:
            stack.callback(each.close)
        yield handlers


def create(folder: Path) -> None:
    """Make the run's folder."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise BadInput(f"--out {folder} cannot be made: {error.strerror}") from error


def write_pages(folder: Path) -> Report:
    """Render everything that is rendered from the log of a run, into the run's folder."""
    report = replay(folder)
    write_run(report, folder)
    for each in report.findings:  # how often it was seen is known only now
        text = as_json(each.finding)
        (folder / each.folder / FINDING).write_text(text, encoding="utf-8")
    return report
