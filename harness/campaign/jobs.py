"""A crew of processes on this machine, each with workers of its own for every backend."""

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter, deque
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Any

from harness.campaign.crew import CrewLost
from harness.campaign.plan import Plan
from harness.campaign.work import LawFound, LawWanted, Result, Work, done
from harness.errors import BadInput

AHEAD = 2  # tasks that a job has at a time, so that it never waits for the next
MOST_DEATHS = 3  # of jobs over one piece of work
MOST_FAILED_STARTS = 10  # in a row
END_SECONDS = 5.0


@dataclass(slots=True)
class _Job:
    process: BaseProcess
    connection: Connection
    work: deque[Work] = field(default_factory=deque)
    is_ready: bool = False

    @property
    def load(self) -> int:
        """How much it has to do; cases behind a law would come back late."""
        return sum(AHEAD if isinstance(each, LawWanted) else 1 for each in self.work)


class Jobs:
    """So many processes; one that dies is replaced by one that does again what it was doing."""

    def __init__(self, plan: Plan, count: int, *, busy: int) -> None:
        self._plan, self._busy = plan, busy
        self._deaths: Counter[int | str] = Counter()
        self._failed_starts = 0
        self._jobs = [self._start() for _ in range(count)]

    def pids(self) -> list[int]:
        """The processes."""
        return [each.process.pid for each in self._jobs if each.process.pid is not None]

    def is_free(self) -> bool:
        """Whether a job has less work than it may have."""
        return any(each.load < AHEAD for each in self._jobs)

    def give(self, work: Work) -> None:
        """To the job with the least."""
        self._send(min(self._jobs, key=lambda each: each.load), work)

    def take(self, seconds: float) -> list[tuple[Result, float]]:
        """Whatever jobs have sent; see `Crew.take`."""
        by_end: dict[Any, _Job] = {each.connection: each for each in self._jobs}
        heard = (self._hear(by_end[each]) for each in wait(list(by_end), seconds))
        return [each for each in heard if each is not None]

    def close(self) -> None:
        """Kill them; their workers end when their pipes close."""
        for each in self._jobs:
            each.connection.close()
            each.process.kill()
        for each in self._jobs:
            each.process.join(END_SECONDS)
        self._jobs.clear()

    def _start(self) -> _Job:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=work, args=(theirs, self._plan, self._busy), name="job", daemon=True
        )
        process.start()
        theirs.close()
        return _Job(process, ours)

    def _send(self, job: _Job, work: Work) -> None:
        job.work.append(work)
        with contextlib.suppress(OSError):  # it is gone, which `take` sees
            job.connection.send(work)

    def _hear(self, job: _Job) -> tuple[Result, float] | None:
        try:
            kind, said, seconds = job.connection.recv()
        except (EOFError, OSError):
            given_up = self._replace(job)
            return (LawFound(given_up.id), 0.0) if given_up else None
        if kind == "bad input":
            raise BadInput(said)
        if kind == "failed":
            raise RuntimeError(f"a job failed:\n{said}")
        if kind == "ready":
            job.is_ready, self._failed_starts = True, 0
            return None
        job.work.popleft()
        return said, seconds

    def _replace(self, job: _Job) -> LawWanted | None:
        """Another job gets the work of one that died, but for a law that is given up."""
        job.connection.close()
        job.process.join(END_SECONDS)
        given_up = self._blamed(job)
        left = [each for each in job.work if each is not given_up]
        self._jobs.remove(job)
        fresh = self._start()
        self._jobs.append(fresh)
        for each in left:
            self._send(fresh, each)
        return given_up

    def _blamed(self, job: _Job) -> LawWanted | None:
        """Count a death: a law that has caused too many is given up, else the campaign is."""
        how = f"exit code {job.process.exitcode}"
        if not job.is_ready:
            self._failed_starts += 1
            if self._failed_starts == MOST_FAILED_STARTS:
                raise CrewLost(f"jobs end before they are ready ({how}); see --jobs 1")
            return None
        first = job.work[0] if job.work else None
        if first is None or not self._is_deadly(first):
            return None
        if isinstance(first, LawWanted):
            return first
        raise CrewLost(
            f"cases {first.numbers.start} to {first.numbers.stop - 1} ended the job that judged "
            f"them {MOST_DEATHS} times ({how}); see --jobs 1"
        )

    def _is_deadly(self, work: Work) -> bool:
        """Whether it has now ended a job too often."""
        name = work.id if isinstance(work, LawWanted) else work.numbers.start
        self._deaths[name] += 1
        return self._deaths[name] == MOST_DEATHS


def work(connection: Connection, plan: Plan, busy: int) -> None:
    """The life of a job: do what comes until the campaign's process is gone."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # the campaign decides
    given: SimpleQueue[Work] = SimpleQueue()
    threading.Thread(target=_read, args=(connection, given), daemon=True).start()
    try:
        bench = plan.open_bench(busy=busy)
        with bench.pool:
            connection.send(("ready", None, 0.0))
            while True:
                piece = given.get()
                start = time.monotonic()
                result = done(bench, plan, piece)
                connection.send(("done", result, time.monotonic() - start))
    except BadInput as error:
        _tell(connection, "bad input", str(error))
    except OSError:  # nobody listens any more
        os._exit(0)
    except Exception:
        _tell(connection, "failed", traceback.format_exc())


def _tell(connection: Connection, kind: str, text: str) -> None:
    with contextlib.suppress(OSError):
        connection.send((kind, text, 0.0))


def _read(connection: Connection, given: "SimpleQueue[Work]") -> None:
    """Take work as it comes: a campaign that sends must never wait for a job that sends."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            given.put(connection.recv())
    sys.stderr.flush()
    os._exit(0)
