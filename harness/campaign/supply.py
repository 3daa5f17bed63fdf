"""What is judged next: consecutive numbers, in tasks that take about as long as a person waits."""

import math
import time
from collections import Counter
from dataclasses import dataclass, field

from harness.campaign.judge import JudgedTask, Task
from harness.campaign.plan import Plan
from harness.campaign.suspicions import Knowledge

MOST_CASES = 64
GRACE_SECONDS = 10.0  # after its time a campaign waits so long for tasks handed out before
OVERTIME = (
    0.1  # of the time, in which what was judged before is still looked into; or the grace
)
TASK_SECONDS = 2.0  # of engines that are slow or hang, a task holds fewer cases
MOST_HANGS = 3  # in a row, of one backend in one operator
SKIPPED_CASES = 1_000  # after which it is asked again

Pair = tuple[str, str]  # a backend's text and an ONNX operator


@dataclass(slots=True)
class Supply:
    """Hands out the tasks of a campaign and learns from what became of them.

    ``known`` is what the next task is to know. ``spent`` seconds were used by earlier sessions of
    the campaign. A backend that hung several times in a row in one operator is not asked about it
    for a while.
    """

    plan: Plan
    number: int = 0
    spent: float = 0.0
    known: Knowledge = field(default_factory=Knowledge)
    size: int = 1
    started: float = field(default_factory=time.monotonic)
    hangs: Counter[Pair] = field(default_factory=Counter)
    until: dict[Pair, int] = field(default_factory=dict)

    @property
    def elapsed(self) -> float:
        """Seconds of this session."""
        return time.monotonic() - self.started

    @property
    def is_late(self) -> bool:
        """Whether the time is over; a campaign that has judged nothing yet is never late."""
        return self.number > 0 and self._left <= 0

    @property
    def is_overdue(self) -> bool:
        """Whether so much more time is over that nobody waits any more for what was handed out."""
        return self._left <= -GRACE_SECONDS

    @property
    def is_spent(self) -> bool:
        """Whether nobody looks any more into what was judged in time."""
        grace = max(GRACE_SECONDS, OVERTIME * (self.plan.seconds or 0.0))
        return self._left <= -grace

    @property
    def _left(self) -> float:
        limit = math.inf if self.plan.seconds is None else self.plan.seconds
        return limit - self.spent - self.elapsed

    def next(self) -> Task | None:
        """The next task; none where cases or time are used up."""
        last = self.number + self.size
        if self.plan.cases is not None:
            last = min(last, self.plan.cases)
        if self.is_late or last <= self.number:
            return None
        numbers = range(self.number, last)
        self.number = last
        skipped = frozenset(pair for pair, end in self.until.items() if numbers.start < end)
        return Task(numbers, self.known, frozenset(+self.hangs), skipped)

    def learn(self, judged: JudgedTask, seconds: float) -> None:
        """How long a task took decides how many cases are next; hangs, what is skipped."""
        asked = len(judged.numbers)
        self.size = (
            max(1, asked // 2) if seconds > TASK_SECONDS else min(MOST_CASES, 2 * asked)
        )
        for pair, (at_end, all_late) in judged.hangs.items():
            self.hangs[pair] = at_end + (self.hangs[pair] if all_late else 0)
            if self.hangs[pair] >= MOST_HANGS:
                self.until[pair] = self.number + SKIPPED_CASES
                self.hangs[pair] = MOST_HANGS - 1  # one more is enough next time
