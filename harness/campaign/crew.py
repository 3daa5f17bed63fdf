"""Who judges: this process itself, or a crew of others whose results come back in order."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Protocol, Self

from harness.bench import Bench
from harness.campaign.judge import JudgedTask, Task, judge
from harness.campaign.supply import Supply
from harness.campaign.work import LawFound, LawWanted, Result, Work

WAITING_CASES = 4_096  # judged and not yet looked at: more would only fill the memory
WAITING_SUSPICIONS = 256
ENOUGH_SUSPICIONS = 64  # while so many wait, laws go first
WAITING_LAWS = 32  # while so many are not handed out, nothing else is
TICK_SECONDS = 0.1


class CrewLost(Exception):  # noqa: N818
    """Nobody is left to judge, and why in one line; what was judged before is safe."""


class Crew(Protocol):
    """Processes that work, in any order; work that is lost with one goes to another.

    A law over which they are lost again and again is given up; it comes back as none.
    """

    def is_free(self) -> bool:
        """Whether it takes more work now."""

    def give(self, work: Work) -> None:
        """Hand out work."""

    def take(self, seconds: float) -> list[tuple[Result, float]]:
        """What has come back, and how long each took; waits at most so long for the first.

        Raises:
            BadInput: a member cannot run the backends as this process can.
            CrewLost: there are none left.
        """

    def close(self) -> None:
        """End it; what it was doing is lost."""


def alone(bench: Bench, supply: Supply) -> Iterator[JudgedTask]:
    """Every task of the supply, judged here."""
    while task := supply.next():
        start = time.monotonic()
        judged = judge(bench, supply.plan, task, deep=False)
        supply.learn(judged, time.monotonic() - start)
        yield judged


class Feeder:
    """Keeps a crew busy from a thread of its own while entered, also while a bug is looked into.

    Laws and cases take turns, so that neither waits for ever. Laws go first while many of them wait,
    or while the campaign has enough to look into.
    """

    def __init__(self, crew: Crew, supply: Supply) -> None:
        self._crew, self._supply, self._first = crew, supply, supply.number
        self._thread = threading.Thread(target=self._feed, name="feeder", daemon=True)
        self._changed = threading.Condition()
        self._arrived: dict[int, JudgedTask] = {}
        self._wanted: deque[LawWanted] = deque()
        self._found: list[LawFound] = []
        self._judging = self._explaining = 0  # handed out
        self._is_used_up = self._is_judged = self._is_over = False
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._wake()
        self._thread.join()

    def judged(self) -> Iterator[JudgedTask]:
        """Every task of the supply in order, those too that come back soon after its time is over.

        Raises:
            BadInput, CrewLost: as `Crew.take`.
        """
        expected, is_first = self._first, self._first == 0
        while judged := self._wait_for(expected, always=is_first):
            yield judged
            expected, is_first = judged.numbers.stop, False

    def want(self, law: LawWanted) -> None:
        """Have a law looked for, behind those that were wanted before."""
        with self._changed:
            self._wanted.append(law)
            self._changed.notify_all()

    def laws(self) -> list[LawFound]:
        """What came of the laws that were wanted, each once."""
        with self._changed:
            found, self._found = self._found, []
        return found

    def wait_for_laws(self) -> list[LawFound]:
        """The same, waiting a moment for the first.

        Raises:
            BadInput, CrewLost: as `Crew.take`.
        """
        with self._changed:
            if not self._found and self._error is not None:
                raise self._error
            if not self._found:
                self._changed.wait(TICK_SECONDS)
        return self.laws()

    def _wait_for(self, number: int, *, always: bool) -> JudgedTask | None:
        with self._changed:
            while number not in self._arrived:
                if self._error is not None:
                    raise self._error
                if self._is_judged or (self._supply.is_overdue and not always):
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
                if self._judging or self._explaining:
                    self._take()
                else:
                    with self._changed:
                        self._changed.wait(TICK_SECONDS)
        except BaseException as error:  # the campaign's thread raises it
            self._error = error
        self._wake()

    def _give(self) -> None:
        while self._crew.is_free() and (work := self._next()):
            self._crew.give(work)
            self._count(work, 1)
        if self._is_used_up and not self._judging and not self._is_judged:
            self._is_judged = True
            self._wake()

    def _next(self) -> Work | None:
        with self._changed:
            if self._wanted and self._is_turn_of_laws():
                return self._wanted.popleft()
            if self._has_room() and not self._is_used_up:
                if task := self._supply.next():
                    return task
                self._is_used_up = True
            return self._wanted.popleft() if self._wanted else None

    def _is_turn_of_laws(self) -> bool:
        """First where enough else waits, else one for each task, or for three that are waited for."""
        if len(self._wanted) >= WAITING_LAWS or self._suspicions() >= ENOUGH_SUSPICIONS:
            return True
        share = self._judging if self._arrived else (self._judging + 2) // 3
        return self._explaining < share

    def _count(self, work: Work | Result, change: int) -> None:
        if isinstance(work, Task | JudgedTask):
            self._judging += change
        else:
            self._explaining += change

    def _take(self) -> None:
        for result, seconds in self._crew.take(TICK_SECONDS):
            self._count(result, -1)
            if isinstance(result, JudgedTask):
                self._supply.learn(result, seconds)
            with self._changed:
                if isinstance(result, JudgedTask):
                    self._arrived[result.numbers.start] = result
                else:
                    self._found.append(result)
                self._changed.notify_all()

    def _has_room(self) -> bool:
        cases = sum(len(each.numbers) for each in self._arrived.values())
        return cases < WAITING_CASES and self._suspicions() < WAITING_SUSPICIONS

    def _suspicions(self) -> int:
        return sum(len(each.suspicions) for each in self._arrived.values())
