"""Going on with a campaign that was killed at any moment: its folder is made whole first."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.campaign.journal import Past
from harness.campaign.parts import LIKE, kept
from harness.campaign.plan import Plan
from harness.campaign.store import Store
from harness.errors import BadInput
from harness.events import (
    BackendSkipped,
    BadLog,
    BatchJudged,
    CampaignFinished,
    CampaignInterrupted,
    CampaignResumed,
    CampaignStarted,
    FindingSaved,
    FindingSeen,
    cut_unfinished_line,
    read,
)

LOG, DATABASE, FINDINGS = "events.ndjson", "run.sqlite", "findings"


@dataclass(frozen=True, slots=True)
class Logged:
    """What the log of a run says of how it was started, and how far it came; findings by id."""

    started: CampaignStarted
    seconds: float
    saved: dict[str, FindingSaved]
    skipped: frozenset[str]
    is_finished: bool


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A block in which no other process writes to the run.

    Raises:
        BadInput: another one does.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadInput(f"{folder} is being written by another campaign; wait for it") from None
    else:
        yield
    finally:
        os.close(descriptor)


def logged(folder: Path) -> Logged:
    """Read the log of a run.

    Raises:
        BadInput: the run never began.
        BadLog: the log is damaged.
    """
    events = read(folder / LOG)
    started = next(events, None)
    if not isinstance(started, CampaignStarted):
        raise BadInput(f"--resume: {folder} was never begun; remove it and start again")
    earlier = seconds = 0.0
    saved: dict[str, FindingSaved] = {}
    skipped = set()
    finished = False
    for event in events:
        match event:
            case CampaignResumed():
                earlier, finished = seconds, False
            case BackendSkipped(name=name):
                skipped.add(name)
            case FindingSaved(finding=finding):
                saved[finding.id] = event
            case FindingSeen(id=name, seen=seen) if name in saved:
                finding = replace(saved[name].finding, seen=seen)
                saved[name] = replace(saved[name], finding=finding)
            case BatchJudged() | CampaignInterrupted() | CampaignFinished():
                seconds = earlier + event.seconds
                finished = isinstance(event, CampaignFinished) and not event.unsettled
            case _:
                pass
    return Logged(started, seconds, saved, frozenset(skipped), finished)


def plan_of(started: CampaignStarted, folder: Path) -> Plan:
    """The plan of a run, from its log."""
    return Plan(
        seed=started.seed,
        family=started.family,
        scales=started.scales,
        out=str(folder),
        cases=started.planned_cases,
        seconds=started.planned_seconds,
        backends=started.named,
        timeout=started.timeout,
        memory=started.memory,
        parts=kept(folder) if started.family == LIKE else (),
    )


def mend(folder: Path) -> None:
    """Give the log the events that it lacks, and remove findings that were half written.

    Raises:
        BadInput: the folder holds no run.
        BadLog: its database is damaged.
    """
    path = folder / LOG
    if not path.is_file() or not (folder / DATABASE).is_file():
        raise BadInput(f"--resume: {folder} holds no run; start one without --resume")
    cut_unfinished_line(path)
    with closing(open_store(folder)) as store, path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in store.unsent())
        whole = store.folders()
    for each in (folder / FINDINGS).glob("*"):
        if f"{FINDINGS}/{each.name}" not in whole:
            shutil.rmtree(each)


def past_of(folder: Path, told: Logged) -> Past:
    """What a mended run left behind."""
    with closing(open_store(folder)) as store:
        return store.past(seconds=told.seconds, saved=told.saved)


def open_store(folder: Path) -> Store:
    """The journal of a run, where its log is now.

    Raises:
        BadLog: it is damaged.
    """
    log, path = folder / LOG, folder / DATABASE
    lines = log.read_bytes().count(b"\n") if log.exists() else 0
    try:
        return Store(path, lines=lines)
    except sqlite3.DatabaseError as error:
        raise BadLog(f"{path}: {error}; the run cannot go on") from error
