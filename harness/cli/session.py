"""One session of a campaign: its run folder is made or taken up, and written to until the end."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.bench import Bench, set_up, with_variants
from harness.campaign.crew import Crew, CrewLost
from harness.campaign.jobs import Jobs
from harness.campaign.journal import Past
from harness.campaign.plan import Plan
from harness.campaign.resume import Logged, logged, mend, open_store, past_of, plan_of
from harness.campaign.versions import OURS, versions_of
from harness.cli.interrupts import Interrupts
from harness.cli.keep import keep_in, rewritten_in
from harness.cli.options import chosen
from harness.cli.releases import comparing
from harness.errors import BadInput
from harness.events import BackendSkipped, Event, Handler, LogWriter
from harness.run import Campaign
from reports.console import Console
from reports.model import LOG_NAME, replay

Skipped = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Session:
    """A plan, the bench of this process, and what is known from before."""

    plan: Plan
    bench: Bench
    past: Past
    skipped: Skipped


@contextmanager
def beginning(plan: Plan) -> Iterator[Session]:
    """A session of a new run, which has no folder yet.

    Raises:
        BadInput: a backend cannot be used.
    """
    with Pool(plan.timeout, memory=plan.memory) as pool:
        specs, skipped = chosen(pool, plan.backends)
        bench = set_up(pool, with_variants(specs))
        named = tuple(dict.fromkeys(each.text for each in specs))
        yield Session(replace(plan, backends=named), bench, Past(), skipped)


@contextmanager
def going_on(plan: Plan, told: Logged) -> Iterator[Session]:
    """A session that goes on with the mended run of a plan.

    Raises:
        BadInput: a backend cannot be used, or is not the one it was.
    """
    with Pool(plan.timeout, memory=plan.memory) as pool:
        bench = set_up(pool, with_variants([parse(name) for name in plan.backends]))
        _must_be_as_before(bench, told)
        yield Session(plan, bench, past_of(Path(plan.out), told), ())


def taken_up(folder: Path, given: Mapping[str, Any]) -> tuple[Plan, Logged]:
    """The plan of a run that was killed or interrupted; ``given`` are options, which must agree.

    Raises:
        BadInput: there is no such run, or an option differs from what it was begun with.
    """
    mend(folder)
    told = logged(folder)
    plan = plan_of(told.started, folder)
    for name, value in given.items():
        if value != getattr(plan, name):
            option = _OPTIONS.get(name, f"--{name}")
            raise BadInput(
                f"--resume: {folder} was begun {_shown(option, getattr(plan, name))}, "
                f"not {_shown(option, value)}; leave the option out"
            )
    return plan, told


_OPTIONS = {"backends": "-b", "seconds": "--time"}


def _shown(option: str, value: object) -> str:
    if value is None:
        return f"without {option}"
    return f"with {option} {' '.join(value) if isinstance(value, tuple) else value}"


def _must_be_as_before(bench: Bench, told: Logged) -> None:
    before = {each.name: each.version for each in told.started.backends}
    now = versions_of(bench)
    for name, version in {**before, OURS: told.started.quantdiff}.items():
        if now.get(name) != version:
            raise BadInput(
                f"--resume: {name} was {version} and is {now.get(name, 'absent')} now; "
                "start a new run"
            )


def run(
    session: Session, crew: Crew | None, interrupts: Interrupts, *, quiet: bool = False
) -> str:
    """Run the campaign until it is done or ended; why it lost those who judge, if it did."""
    plan, folder = session.plan, Path(session.plan.out)
    store, log = open_store(folder), LogWriter(folder / LOG_NAME)
    campaign = Campaign(
        session.bench,
        plan,
        keep_in(folder, patience=plan.timeout),
        store,
        crew,
        session.past,
        interrupts.held,
        rewritten_in(folder),
    )
    events = _with_skipped(interrupts.stopping(campaign.events()), session.skipped)
    so_far = replay(folder) if session.past.resumed else None
    with _handlers(store, log, Console(sys.stderr, quiet=quiet, so_far=so_far)) as handlers:
        try:
            for event in comparing(events, session.bench, folder):
                with interrupts.held():
                    for handler in handlers:
                        handler.handle(event)
        except KeyboardInterrupt:
            return ""
        except CrewLost as lost:
            return str(lost)
    return ""


@contextmanager
def crew_of(session: Session, jobs: int, cluster: str | None) -> Iterator[Crew | None]:
    """Others who judge: a cluster, or jobs of this machine; nobody, where one job is enough.

    Raises:
        BadInput: there is no such cluster, or Dask is not installed.
    """
    crew: Crew
    if cluster:
        try:
            from harness.campaign.cluster import Cluster
        except ModuleNotFoundError as error:
            raise BadInput(
                f"--cluster needs {error.name}; pip install 'quantdiff[cluster]'"
            ) from error
        crew = Cluster(cluster, session.plan, versions_of(session.bench))
    elif jobs > 1:
        crew = Jobs(session.plan, jobs, busy=1)
    else:
        yield None
        return
    with closing(crew):
        yield crew


def _with_skipped(events: Iterator[Event], skipped: Skipped) -> Iterator[Event]:
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
