"""A crew on other machines: the workers of a Dask scheduler that is running already.

A piece of work depends on the plan and itself alone, so Dask may do it anywhere and again: one whose
worker is lost is retried by Dask itself, and a result that comes twice is counted once. A Dask worker
keeps a bench a thread and a plan until another plan comes or it ends.
"""

import contextlib
import logging
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from distributed import Client, Future, KilledWorker, Worker, WorkerPlugin, get_worker

from harness.campaign.benches import Benches
from harness.campaign.crew import CrewLost
from harness.campaign.plan import Plan
from harness.campaign.versions import Versions, must_agree, versions_of
from harness.campaign.work import LawFound, LawWanted, Result, Work, done
from harness.errors import BadInput

CONNECT_SECONDS = 10.0
ASK_SECONDS = 1.0
AHEAD = 2  # pieces of work for each thread of the cluster, so that none waits for the next


@dataclass(frozen=True, slots=True)
class Returned:
    """What a worker made of its work, in how many seconds; or why it cannot take part."""

    result: Result | None
    seconds: float = 0.0
    refusal: str = ""


class Keeper(WorkerPlugin):  # type: ignore[misc]
    """Keeps the benches of a Dask worker, and closes them at its end."""

    name = "quantdiff"

    def setup(self, worker: Worker) -> None:
        """A worker begins."""
        self.benches = Benches()

    def teardown(self, worker: Worker) -> None:
        """A worker ends."""
        self.benches.close()


class Cluster:
    """The workers behind a scheduler's address; ``expected`` are this process's versions.

    Raises:
        BadInput: there is no scheduler, it has no workers, or they lack quantdiff.
    """

    def __init__(self, address: str, plan: Plan, expected: Versions) -> None:
        self._address, self._plan, self._expected = address, replace(plan, out=""), expected
        self._returned: SimpleQueue[Future] = SimpleQueue()
        self._pending: dict[Future, Work] = {}
        self._threads, self._asked_at, self._last = 0, 0.0, 0
        _quiet()
        try:
            self._client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise self._refused(f"no scheduler answers ({_first_line(error)})") from error
        try:
            self._join()
        except BaseException:
            self.close()
            raise

    def _join(self) -> None:
        self._threads = sum(self._client.nthreads().values())
        if not self._threads:
            raise self._refused("the scheduler has no workers; start some")
        try:
            self._client.register_plugin(Keeper())
        except Exception as error:
            raise self._refused(
                f"its workers cannot run quantdiff ({_first_line(error)}); "
                "scheduler and workers need the same quantdiff and backends"
            ) from error

    def _refused(self, why: str) -> BadInput:
        return BadInput(f"--cluster {self._address}: {why}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def is_free(self) -> bool:
        """Whether the cluster has less work than it may have."""
        self._must_be_there()
        return len(self._pending) < AHEAD * max(1, self._count())

    def _count(self) -> int:
        """The threads of all workers; they come and go."""
        if time.monotonic() > self._asked_at + ASK_SECONDS:
            self._asked_at = time.monotonic()
            try:
                self._threads = sum(self._client.nthreads().values())
            except (OSError, TimeoutError) as error:
                raise self._lost() from error
        return self._threads

    def give(self, work: Work) -> None:
        """Submit it; cases with smaller numbers go first, and a law before those that come later."""
        if not isinstance(work, LawWanted):
            self._last = work.numbers.start
        future = self._client.submit(
            do_there,
            self._plan,
            self._expected,
            work,
            pure=False,
            priority=-self._last,
        )
        self._pending[future] = work
        future.add_done_callback(self._returned.put)

    def take(self, seconds: float) -> list[tuple[Result, float]]:
        """Whatever has come back; see `Crew.take`."""
        try:
            future = self._returned.get(timeout=seconds)
        except Empty:
            self._must_be_there()
            return []
        work = self._pending.pop(future, None)
        if work is None:
            return []
        returned = self._result(future, work)
        future.release()
        if returned.result is None:
            raise self._refused(returned.refusal)
        return [(returned.result, returned.seconds)]

    def _result(self, future: Future, work: Work) -> Returned:
        try:
            returned = future.result(timeout=CONNECT_SECONDS)
        except KilledWorker as error:
            if isinstance(work, LawWanted):
                return Returned(LawFound(work.id))
            first, last = work.numbers.start, work.numbers.stop - 1
            raise CrewLost(
                f"cases {first} to {last} ended every worker of {self._address} that judged them"
            ) from error
        except (CancelledError, OSError, TimeoutError) as error:
            raise self._lost() from error
        assert isinstance(returned, Returned)
        return returned

    def _must_be_there(self) -> None:
        if self._client.status != "running":
            raise self._lost()

    def _lost(self) -> CrewLost:
        return CrewLost(f"the scheduler at {self._address} is gone")

    def close(self) -> None:
        """Leave the cluster; it forgets what it was asked, and goes on without us."""
        self._pending.clear()
        with contextlib.suppress(Exception):  # a scheduler that is gone cannot be told
            self._client.close(timeout=2)


def do_there(plan: Plan, expected: Versions, work: Work) -> Returned:
    """Runs in a Dask worker: the work done, or why this worker must not do it."""
    start = time.monotonic()
    try:
        keeper: Keeper = get_worker().plugins[Keeper.name]
        with keeper.benches.lent(plan) as bench:
            must_agree(expected, versions_of(bench), "a worker")
            result = done(bench, plan, work)
    except BadInput as error:
        return Returned(None, refusal=str(error))
    return Returned(result, time.monotonic() - start)


def _quiet() -> None:
    """Keep Dask from logging tracebacks about what we say in one line; its loggers have own levels."""
    for name in (*logging.root.manager.loggerDict, "asyncio"):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
