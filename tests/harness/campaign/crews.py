"""Crews of this process, with which a test decides what comes back and when."""

import time
from collections import deque
from collections.abc import Callable

from harness.bench import Bench
from harness.campaign.judge import JudgedTask, Task
from harness.campaign.plan import Plan
from harness.campaign.suspicions import Suspicion
from harness.campaign.work import LawFound, LawWanted, Result, Work, done


class Here:
    """A crew of this process, with a bench of its own; ``on_law`` is what it does about a law.

    A law comes when there has been nothing else to do for so many ticks.
    """

    def __init__(
        self,
        bench: Bench,
        judged: Plan,
        on_law: Callable[[LawWanted], list[LawFound]],
        ticks: int = 0,
    ) -> None:
        self.bench, self.plan, self.on_law, self.ticks = bench, judged, on_law, ticks
        self.tasks: deque[Task] = deque()
        self.laws: deque[LawWanted] = deque()

    def is_free(self) -> bool:
        return len(self.tasks) + len(self.laws) < 3

    def give(self, work: Work) -> None:
        if isinstance(work, Task):
            self.tasks.append(work)
        else:
            self.laws.append(work)

    def take(self, seconds: float) -> list[tuple[Result, float]]:
        if self.tasks:
            return [(done(self.bench, self.plan, self.tasks.popleft()), 0.1)]
        self.ticks -= bool(self.laws)
        if self.laws and self.ticks < 0:
            return [(each, 0.1) for each in self.on_law(self.laws.popleft())]
        time.sleep(0.01)
        return []

    def close(self) -> None:
        pass


class Slow:
    """A crew that does nothing until it is told to; ``given`` is the work in its order.

    Everything judged comes back with so many ``suspicions``.
    """

    def __init__(self, suspicions: int = 0) -> None:
        nothing: Suspicion = None  # type: ignore[assignment]
        self.suspicions = (nothing,) * suspicions
        self.given: list[Work] = []
        self.waiting: list[Work] = []
        self.left = 0

    def is_free(self) -> bool:
        return len(self.waiting) < 4

    def give(self, work: Work) -> None:
        self.given.append(work)
        self.waiting.append(work)

    def take(self, seconds: float) -> list[tuple[Result, float]]:
        if not self.left or not self.waiting:
            time.sleep(0.005)
            return []
        self.left -= 1
        work = self.waiting.pop(0)
        if isinstance(work, Task):
            return [(JudgedTask(work.numbers, (), self.suspicions, {}, {}, {}), 5.0)]
        return [(LawFound(work.id), 1.0)]

    def close(self) -> None:
        pass
