"""The benches of a process that judges tasks of others, in several threads and for several plans."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.bench import Bench
from harness.campaign.plan import Plan


class Benches:
    """The benches of one process, for one plan at a time: a thread borrows one or opens it."""

    def __init__(self, start: Callable[[Plan], Bench] = Plan.open_bench) -> None:
        self._start, self._lock = start, threading.Lock()
        self._plan: Plan | None = None
        self._idle: list[Bench] = []

    @contextmanager
    def lent(self, plan: Plan) -> Iterator[Bench]:
        """A bench that no other thread uses meanwhile."""
        bench = self._borrow(plan)
        try:
            yield bench
        except BaseException:
            bench.pool.close()
            raise
        self._give_back(plan, bench)

    def _borrow(self, plan: Plan) -> Bench:
        with self._lock:
            if plan != self._plan:
                self._close()
                self._plan = plan
            if self._idle:
                return self._idle.pop()
        return self._start(plan)

    def _give_back(self, plan: Plan, bench: Bench) -> None:
        with self._lock:
            if plan == self._plan:
                self._idle.append(bench)
                return
        bench.pool.close()

    def close(self) -> None:
        """End the workers of every bench that nobody has."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        while self._idle:
            self._idle.pop().pool.close()
