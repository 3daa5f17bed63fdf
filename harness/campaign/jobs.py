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
from harness.campaign.judge import JudgedTask, Task, judge
from harness.campaign.plan import Plan
from harness.errors import BadInput

AHEAD = 2  # tasks that a job has at a time, so that it never waits for the next
MOST_DEATHS = 3  # of jobs over one task
MOST_FAILED_STARTS = 10  # in a row
END_SECONDS = 5.0


@dataclass(slots=True)
class _Job:
    process: BaseProcess
    connection: Connection
    tasks: deque[Task] = field(default_factory=deque)
    is_ready: bool = False


class Jobs:
    """So many processes; one that dies is replaced, and judges again what it was judging."""

    def __init__(self, plan: Plan, count: int, *, busy: int) -> None:
        self._plan, self._busy = plan, busy
        self._deaths: Counter[int] = Counter()
        self._failed_starts = 0
        self._jobs = [self._start() for _ in range(count)]

    def pids(self) -> list[int]:
        """The processes."""
        return [each.process.pid for each in self._jobs if each.process.pid is not None]

    def is_free(self) -> bool:
        """Whether a job has fewer tasks than it may have."""
        return any(len(each.tasks) < AHEAD for each in self._jobs)

    def give(self, task: Task) -> None:
        """To the job with the fewest."""
        self._send(min(self._jobs, key=lambda each: len(each.tasks)), task)

    def take(self, seconds: float) -> list[tuple[JudgedTask, float]]:
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

    def _send(self, job: _Job, task: Task) -> None:
        job.tasks.append(task)
        with contextlib.suppress(OSError):  # it is gone, which `take` sees
            job.connection.send(task)

    def _hear(self, job: _Job) -> tuple[JudgedTask, float] | None:
        try:
            kind, said, seconds = job.connection.recv()
        except (EOFError, OSError):
            self._replace(job)
            return None
        if kind == "bad input":
            raise BadInput(said)
        if kind == "failed":
            raise RuntimeError(f"a job failed:\n{said}")
        if kind == "ready":
            job.is_ready, self._failed_starts = True, 0
            return None
        job.tasks.popleft()
        return said, seconds

    def _replace(self, job: _Job) -> None:
        """Another job gets the tasks of one that died."""
        job.connection.close()
        job.process.join(END_SECONDS)
        lost = list(job.tasks)
        self._blame(job)
        self._jobs.remove(job)
        fresh = self._start()
        self._jobs.append(fresh)
        for task in lost:
            self._send(fresh, task)

    def _blame(self, job: _Job) -> None:
        """Count a death, and give up where starting or one task has caused too many."""
        how = f"exit code {job.process.exitcode}"
        if not job.is_ready:
            self._failed_starts += 1
            if self._failed_starts == MOST_FAILED_STARTS:
                raise CrewLost(f"jobs end before they are ready ({how}); see --jobs 1")
        elif job.tasks:
            first = job.tasks[0].numbers
            self._deaths[first.start] += 1
            if self._deaths[first.start] == MOST_DEATHS:
                raise CrewLost(
                    f"cases {first.start} to {first.stop - 1} ended the job that judged them "
                    f"{MOST_DEATHS} times ({how}); see --jobs 1"
                )


def work(connection: Connection, plan: Plan, busy: int) -> None:
    """The life of a job: judge what comes until the campaign's process is gone."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # the campaign decides
    tasks: SimpleQueue[Task] = SimpleQueue()
    threading.Thread(target=_read, args=(connection, tasks), daemon=True).start()
    try:
        bench = plan.open_bench(busy=busy)
        with bench.pool:
            connection.send(("ready", None, 0.0))
            while True:
                task = tasks.get()
                start = time.monotonic()
                judged = judge(bench, plan, task, deep=True)
                connection.send(("judged", judged, time.monotonic() - start))
    except BadInput as error:
        _tell(connection, "bad input", str(error))
    except OSError:  # nobody listens any more
        os._exit(0)
    except Exception:
        _tell(connection, "failed", traceback.format_exc())


def _tell(connection: Connection, kind: str, text: str) -> None:
    with contextlib.suppress(OSError):
        connection.send((kind, text, 0.0))


def _read(connection: Connection, tasks: "SimpleQueue[Task]") -> None:
    """Take tasks as they come: a campaign that sends must never wait for a job that sends."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            tasks.put(connection.recv())
    sys.stderr.flush()
    os._exit(0)
