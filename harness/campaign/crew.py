"""Who judges: this process itself, or a crew of others whose results come back in order."""

import threading
import time
from collections.abc import Generator
from typing import Protocol

from harness.bench import Bench
from harness.campaign.judge import JudgedTask, Task, judge
from harness.campaign.supply import Supply

WAITING_CASES = 4_096  # judged and not yet looked at: more would only fill the memory
WAITING_SUSPICIONS = 256
TICK_SECONDS = 0.1


class CrewLost(Exception):  # noqa: N818
    """Nobody is left to judge, and why in one line; what was judged before is safe."""


class Crew(Protocol):
    """Processes that judge tasks, in any order; a task that is lost with one goes to another."""

    def is_free(self) -> bool:
        """Whether it takes another task now."""

    def give(self, task: Task) -> None:
        """Hand out a task."""

    def take(self, seconds: float) -> list[tuple[JudgedTask, float]]:
        """What has come back, and how long each took; waits at most so long for the first.

        Raises:
            BadInput: a member cannot run the backends as this process can.
            CrewLost: there are none left.
        """

    def close(self) -> None:
        """End it; what it was doing is lost."""


def alone(bench: Bench, supply: Supply) -> Generator[JudgedTask]:
    """Every task of the supply, judged here."""
    while task := supply.next():
        start = time.monotonic()
        judged = judge(bench, supply.plan, task, deep=False)
        supply.learn(judged, time.monotonic() - start)
        yield judged


class Feeder:
    """Keeps a crew busy from a thread of its own, also while the campaign looks into a bug."""

    def __init__(self, crew: Crew, supply: Supply) -> None:
        self._crew, self._supply = crew, supply
        self._changed = threading.Condition()
        self._arrived: dict[int, JudgedTask] = {}
        self._given = 0
        self._is_over = False
        self._error: BaseException | None = None

    def judged(self) -> Generator[JudgedTask]:
        """Every task of the supply in order, those too that come back soon after its time is over.

        Raises:
            BadInput, CrewLost: as `Crew.take`.
        """
        expected, is_first = self._supply.number, self._supply.number == 0
        thread = threading.Thread(target=self._feed, name="feeder", daemon=True)
        thread.start()
        try:
            while judged := self._wait_for(expected, always=is_first):
                yield judged
                expected, is_first = judged.numbers.stop, False
        finally:
            self._is_over = True
            self._wake()
            thread.join()

    def _wait_for(self, number: int, *, always: bool) -> JudgedTask | None:
        with self._changed:
            while number not in self._arrived:
                if self._error is not None:
                    raise self._error
                if self._is_over or (self._supply.is_overdue and not always):
                    return None
                self._changed.wait(TICK_SECONDS)  # a signal must get through
            self._changed.notify_all()
            return self._arrived.pop(number)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _feed(self) -> None:
        try:
            while not self._is_over:
                self._give()
                if self._given:
                    self._take()
                elif self._has_room():
                    self._is_over = True
                else:
                    with self._changed:
                        self._changed.wait(TICK_SECONDS)
        except BaseException as error:  # the campaign's thread raises it
            self._error = error
        self._wake()

    def _give(self) -> None:
        while self._crew.is_free() and self._has_room() and (task := self._supply.next()):
            self._crew.give(task)
            self._given += 1

    def _take(self) -> None:
        for judged, seconds in self._crew.take(TICK_SECONDS):
            self._given -= 1
            self._supply.learn(judged, seconds)
            with self._changed:
                self._arrived[judged.numbers.start] = judged
                self._changed.notify_all()

    def _has_room(self) -> bool:
        with self._changed:
            waiting = list(self._arrived.values())
        cases = sum(len(each.numbers) for each in waiting)
        suspicions = sum(len(each.suspicions) for each in waiting)
        return cases < WAITING_CASES and suspicions < WAITING_SUSPICIONS
