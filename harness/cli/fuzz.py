"""``quantdiff fuzz``: a campaign."""

import os
import re
import sys
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from harness.backends.conversation import MEMORY
from harness.campaign.crew import Crew
from harness.campaign.parts import keep
from harness.campaign.plan import Plan
from harness.campaign.resume import locked
from harness.cli.interrupts import Interrupts
from harness.cli.keep import FINDING, as_json
from harness.cli.like import likened
from harness.cli.options import (
    backend_option,
    free_folder,
    fresh_seed,
    json_option,
    timeout_option,
)
from harness.cli.session import Session, beginning, create, crew_of, going_on, run, taken_up
from harness.errors import BadInput
from reports import summary
from reports.folder import write_run
from reports.model import Report, replay

FAMILIES = (
    *("conv", "matmul", "elementwise", "pool", "movement", "blockwise"),
    *("graphs", "all"),
)
SCALES = ("any", "tie-free", "tie-rich", "saturating")
DEFAULT_SECONDS = 60.0
INTERRUPTED = 3


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


class Size(click.ParamType[int]):
    """``800m`` or ``4g`` as bytes."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Bytes; anything else is bad usage."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([mg])", str(value).lower())
        if match is None or float(match[1]) == 0:
            self.fail(f"{value!r} is not a size; write 800m or 4g", param, ctx)
        return int(float(match[1]) * {"m": 1 << 20, "g": 1 << 30}[match[2]])


@dataclass(frozen=True, slots=True)
class How:
    """What is a matter of this session, not of the run."""

    jobs: int
    cluster: str | None
    quiet: bool
    as_json: bool


@click.command()
@backend_option()
@click.option("--cases", type=click.IntRange(min=1), metavar="N", help="Stop after N cases.")
@click.option(
    "--time", "seconds", type=Duration(), metavar="T", help="Stop after 60s, 10m, 2h."
)
@click.option("--seed", type=click.IntRange(min=0), metavar="S", help="Same seed, same cases.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    metavar="J",
    help="Processes that judge, a core each.",
)
@click.option(
    "--memory",
    type=Size(),
    default=MEMORY,
    metavar="SIZE",
    help="An engine's process that uses more is ended.  [default: 4g]",
)
@click.option("--family", type=click.Choice(FAMILIES), default="conv", show_default=True)
@click.option(
    "--like",
    type=click.Path(path_type=Path),
    metavar="MODEL",
    help="Draw cases like the parts of a quantized ONNX model.",
)
@click.option("--scales", type=click.Choice(SCALES), default="any", show_default=True)
@click.option("--out", metavar="DIR", help="A folder that does not exist yet [default: out].")
@click.option(
    "--resume", is_flag=True, help="Go on with the run in DIR [default: the newest out]."
)
@click.option("--cluster", metavar="ADDR", help="A Dask scheduler whose workers judge.")
@click.option("--quiet", is_flag=True, help="Say findings and the closing summary alone.")
@json_option("summary.json on stdout, nothing else.")
@timeout_option()
@click.pass_context
def fuzz(
    context: click.Context,
    /,
    *,
    out: str | None,
    resume: bool,
    like: Path | None,
    **options: Any,
) -> int:
    """Draw cases, run them on every backend, and make a finding of each new bug."""
    how = How(**{each.name: options.pop(each.name) for each in fields(How)})
    given = _given(context)
    if like is not None and (resume or "family" in given):
        other = "--resume keeps to its own model" if resume else "--family says otherwise"
        raise BadInput(f"--like {like}: {other}; leave one of the two out")
    if resume:
        return _resume(_newest(out), given, how)
    plan = _plan(str(free_folder(out)), **options)
    plan, mined = likened(plan, like, quiet=how.quiet)
    with Interrupts() as interrupts, ExitStack() as stack:
        session = stack.enter_context(beginning(plan))
        crew = stack.enter_context(crew_of(session, how.jobs, how.cluster))
        create(Path(plan.out))
        stack.enter_context(locked(Path(plan.out)))
        if mined:
            keep(Path(plan.out), mined)
        return _whole(session, crew, interrupts, how)


def _plan(
    out: str, cases: int | None, seconds: float | None, seed: int | None, **others: Any
) -> Plan:
    if cases is None and seconds is None:
        seconds = DEFAULT_SECONDS
    seed = fresh_seed() if seed is None else seed
    return Plan(seed=seed, out=out, cases=cases, seconds=seconds, **others)


def _resume(folder: Path, given: dict[str, Any], how: How) -> int:
    """Go on with a run, or say that it is finished."""
    with Interrupts() as interrupts, ExitStack() as stack:
        stack.enter_context(locked(folder))
        plan, told = taken_up(folder, given)
        if told.is_finished:
            print(f"  {folder} is finished: nothing is left to do", file=sys.stderr)
            return _status(write_pages(folder), how)
        session = stack.enter_context(going_on(plan, told))
        crew = stack.enter_context(crew_of(session, how.jobs, how.cluster))
        return _whole(session, crew, interrupts, how)


def _whole(session: Session, crew: Crew | None, interrupts: Interrupts, how: How) -> int:
    """Run a session to its end, render its pages, and say how it ended."""
    lost = ""
    try:
        lost = run(session, crew, interrupts, quiet=how.quiet)
    finally:
        interrupts.hold()
        report = write_pages(Path(session.plan.out))
    status = _status(report, how)
    if lost:
        print(f"quantdiff: {lost}; everything is saved, see --resume", file=sys.stderr)
    return INTERRUPTED if lost or interrupts.came else status


def _status(report: Report, how: How) -> int:
    if how.as_json:
        print(summary.render(report), end="")
    return 1 if report.findings or report.unsettled or report.failures else 0


def _given(context: click.Context) -> dict[str, Any]:
    """The options that a person gave and that a run cannot change, by the plan's names."""
    return {
        name: value
        for name, value in context.params.items()
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
        and name in {each.name for each in fields(Plan)} - {"out"}
    }


def _newest(out: str | None) -> Path:
    """The folder to go on with: ``out``, or the last of ``out``, ``out-2``, ...

    Raises:
        BadInput: there is none.
    """
    if out is not None:
        folder = Path(out)
    else:
        nearest = free_folder(None)
        number = int(nearest.name.partition("-")[2] or 1) - 1
        folder = Path("out" if number < 2 else f"out-{number}")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"--resume: {folder} is no folder to write to; name one with --out")
    return folder


def write_pages(folder: Path) -> Report:
    """Render everything that is rendered from the log of a run, into the run's folder."""
    report = replay(folder)
    write_run(report, folder)
    for each in report.findings:  # how often it was seen is known only now
        text = as_json(each.finding)
        (folder / each.folder / FINDING).write_text(text, encoding="utf-8")
    return report
