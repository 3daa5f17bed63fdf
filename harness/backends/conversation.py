"""The exchange with one worker: a batch of questions, its answers, and starting again after a crash."""

import time
from collections.abc import Sequence
from typing import Any

from harness.backends import protocol
from harness.backends.batch import Batch
from harness.backends.description import Description
from harness.backends.launch import Launch, Lost
from harness.backends.process import Ended, Message, Process
from harness.outcome import Crashed, TimedOut

START_SECONDS = 120.0  # importing an engine from a cold disk can take long
STARTS = 3  # of a worker that ends before it is ready: somebody may have killed it
EXIT_SECONDS = 1.0
MEMORY = 4 << 30
KILLED = "signal SIGKILL"  # which no engine sends itself: somebody else did, or the system
LOOK_SECONDS = 0.05  # how often memory is looked at


class Conversation:
    """One worker and what it has been asked; survives the worker's end.

    Answers come several at a time. Where a worker ends, the case that it was at is to blame, and what
    was answered and not yet sent is asked again. Where that cannot be told, it is asked again to send
    each answer at once.

    A worker that holds more than ``memory`` bytes is killed. Where that is the harm of earlier
    cases, it is no outcome: the case is asked again in a fresh worker. So is one whose worker was
    killed from outside, once: where it is killed again, the system has no memory for this case.

    Raises:
        Lost: the interpreter cannot be run.
    """

    process: Process
    description: Description

    def __init__(self, launch: Launch, timeout: float, memory: int = MEMORY) -> None:
        self._launch, self._timeout, self._memory = launch, timeout, memory
        self._batch, self._options = Batch("run", ()), [dict[str, str]()]
        self.answers: list[Message | Crashed | TimedOut] = []
        self._wanted = self._starts_lost = 0
        self._ends: dict[int, Crashed | TimedOut] = {}  # by number; answers before are missing
        self._at_once = False
        self._killed_at = -1  # number of the answer that it was at when somebody killed it
        self._base = 0  # bytes before the first case
        self._is_fresh = True  # has answered nothing since it was started
        self._first = 0  # number of the answer that it was asked for first
        self._look_at = 0.0
        self.is_starting = False
        self.deadline = 0.0
        self._start()

    def ask(self, batch: Batch, options: Sequence[dict[str, str]]) -> None:
        """Send a batch; ``answers`` fills up as `hear` is called, case by case, option by option."""
        self._batch, self._options, self.answers = batch, list(options), []
        self._wanted, self._killed_at = len(batch) * len(self._options), -1
        self._ends, self._at_once = {}, False
        # Where it ended after its last answer, no case is to blame.
        if not self.process.is_alive() or self._leaks():
            self.end()
            self._start()
        self.process.forget()
        self._send_rest()

    def is_waiting(self) -> bool:
        """Whether the description or answers are missing."""
        return self.is_starting or self._is_missing()

    def _is_missing(self) -> bool:
        return len(self.answers) < self._wanted

    def flush(self) -> None:
        """Send more of what was asked."""
        self.process.flush()
        self._wait_anew()

    def hear(self) -> None:
        """Take in what has arrived.

        Raises:
            Lost: the worker ended before it was ready.
        """
        try:
            for message in self.process.messages():
                self._accept(message)
            self._wait_anew()
        except Ended:
            how, stderr = self.process.end(EXIT_SECONDS)
            self._replace(Crashed(how, stderr))
        except protocol.Garbage as garbage:
            _, stderr = self.process.end()
            if self._may_be_behind():
                self._ask_again_at_once()
            else:
                self._replace(Crashed(f"garbage on its pipe: {garbage}", stderr))

    def _may_be_behind(self) -> bool:
        """Whether it may have been at a later answer than the next to come."""
        return not self.is_starting and not self._at_once and self._wanted > 1

    def _ask_again_at_once(self) -> None:
        self._at_once = True
        self._start()
        self._send_rest()

    def check_time(self) -> None:
        """Give up on an answer that is late.

        Raises:
            Lost: the worker was not even ready.
        """
        if self.is_waiting() and time.monotonic() >= self.deadline:
            died = not self.process.is_alive()  # and left a child that holds its pipe
            how, stderr = self.process.end()
            self._replace(Crashed(how, stderr) if died else TimedOut(self._timeout))

    def check_memory(self) -> None:
        """Give up on an answer that takes too much memory.

        Raises:
            Lost: the worker needs more before its first case.
        """
        now = time.monotonic()
        if now < self._look_at or not self.is_waiting():
            return
        self._look_at = now + LOOK_SECONDS
        if self.process.resident() <= self._memory:
            return
        process = self.process
        if self._is_at_first():
            self.hear()  # a case whose answer is on its way is not to blame
        if process is not self.process or not self.is_waiting() or not process.is_alive():
            return
        self.process.end()
        if self._is_at_first():
            self._replace(Crashed(f"used more than {_size(self._memory)}", ""))
        else:
            self._ask_again_at_once()

    def _is_at_first(self) -> bool:
        """Whether it is at the first case since it was started."""
        return self._is_fresh and self.process.at() <= self._first

    def _leaks(self) -> bool:
        """Whether it has used up half of what it may grow by."""
        return self.process.resident() > (self._base + self._memory) / 2

    def end(self, patience: float = 0.0) -> None:
        """End the worker; it is killed after ``patience`` seconds."""
        self.process.end(patience)

    def _accept(self, message: Message) -> None:
        if self.is_starting:
            self._greet(message[0])
        else:
            self.answers.append(message)
            self._is_fresh = False
            self._fill_in()

    def _fill_in(self) -> None:
        while len(self.answers) in self._ends:
            self.answers.append(self._ends.pop(len(self.answers)))

    def _greet(self, header: dict[str, Any]) -> None:
        try:
            self.description = self._launch.described(header)
        except Lost:
            self.process.end()
            raise
        self.is_starting, self._starts_lost = False, 0
        self._base = self.process.resident()

    def _replace(self, outcome: Crashed | TimedOut) -> None:
        if self.is_starting:
            self._starts_lost += 1
            if isinstance(outcome, TimedOut) or self._starts_lost == STARTS:
                raise Lost(self._launch.entry.name, _why(outcome))
            self._start()
            self._send_rest()
            return
        at = self._at()
        if self._is_killed_anew(outcome, at):
            self._killed_at = at
            self._ask_again_at_once()
            return
        self._ends[at] = outcome
        self._fill_in()
        if self._is_missing():
            self._start()
            self._send_rest()

    def _at(self) -> int:
        """Number of the answer that it was at."""
        told, at = len(self.answers), self.process.at()
        is_open = not self._at_once and told <= at < self._wanted and at not in self._ends
        return at if is_open else told

    def _is_killed_anew(self, outcome: Crashed | TimedOut, at: int) -> bool:
        """Whether it was killed from outside, and over this case for the first time."""
        is_killed = isinstance(outcome, Crashed) and outcome.how == KILLED
        return is_killed and self._killed_at != at

    def _start(self) -> None:
        self.process = self._launch.start()
        self.is_starting = self._is_fresh = True
        self.deadline = time.monotonic() + START_SECONDS

    def _send_rest(self) -> None:
        self._first = start = len(self.answers)
        for end in (*sorted(self._ends), self._wanted):
            if numbers := range(start, end):
                self.process.send(
                    self._batch.message(self._options, numbers, self._timeout, self._at_once)
                )
            start = end + 1
        self._wait_anew()

    def _wait_anew(self) -> None:
        if not self.is_starting:
            self.deadline = time.monotonic() + self._timeout + protocol.GATHER_SECONDS


def _size(count: int) -> str:
    """Bytes as a person writes them: ``4 GiB``, ``800 MiB``."""
    gib, mib = count / (1 << 30), count / (1 << 20)
    return f"{gib:g} GiB" if gib >= 1 else f"{mib:g} MiB"


def _why(outcome: Crashed | TimedOut) -> str:
    if isinstance(outcome, TimedOut):
        return f"its worker was not ready within {START_SECONDS:g} s"
    lines = [line for line in outcome.stderr.splitlines() if line.strip()]
    return f"its worker ended ({outcome.how})" + (f": {lines[-1].strip()}" if lines else "")
