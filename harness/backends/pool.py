"""The pool: a batch of cases goes to the workers of all backends; every answer is an outcome."""

import contextlib
import os
import select
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from corpus.case import Case
from harness.backends import catalogue, reply
from harness.backends.batch import FILLS, Batch
from harness.backends.conversation import LOOK_SECONDS, MEMORY, Conversation
from harness.backends.description import ISA, Description, Unavailable, check_options
from harness.backends.launch import Launch, Lost
from harness.backends.process import Message
from harness.backends.spec import BackendSpec
from harness.errors import BadInput
from harness.outcome import Crashed, Outcome, Refused, Tapped, TimedOut

Answer = TypeVar("Answer")
Key = tuple[str, str, str]  # adapter's name, interpreter, instruction set it is held to
Question = tuple[Conversation, list[dict[str, str]]]  # a worker and the options to ask it with
GOODBYE_SECONDS = 1.0
MOST_LOST_TAPS = 3  # each costs the time limit, or starting again


class Pool:
    """Worker processes, one for each adapter and interpreter, started when first needed.

    A crash, a hang (no reply within ``timeout`` seconds) or garbage on the pipe is the outcome of
    the case that was running; the worker is started again and the rest of the batch is sent again.
    A worker that uses more than ``memory`` bytes is killed, and so is its case.
    No more than ``busy`` workers are at work at once, by default as many as there are cores.
    With ``forks`` no case finds what another one did to the memory of a native engine, which is
    filled (see `FILLS`).
    """

    _apart: "Pool | None" = None

    def __init__(
        self,
        timeout: float = 10.0,
        *,
        memory: int = MEMORY,
        busy: int | None = None,
        forks: bool = False,
    ) -> None:
        self._timeout, self._memory, self._busy, self._forks = timeout, memory, busy, forks
        self._talks: dict[Key, Conversation] = {}
        self._unavailable: dict[Key, Unavailable] = {}
        self._lost_taps: Counter[Key] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def apart(self) -> "Pool":
        """Other workers, for cases that may harm theirs for good; they end with these."""
        if self._apart is None:
            self._apart = Pool(self._timeout, memory=self._memory, busy=self._busy, forks=True)
        return self._apart

    def close(self) -> None:
        """End every worker."""
        if self._apart is not None:
            self._apart.close()
        for talk in self._talks.values():
            talk.process.hang_up()
        for talk in self._talks.values():
            talk.end(GOODBYE_SECONDS)
        self._talks.clear()

    def pids(self) -> dict[Key, int]:
        """The process of every worker that runs, by adapter and interpreter."""
        return {key: talk.process.pid for key, talk in self._talks.items()}

    def describe(self, spec: BackendSpec) -> Description | Unavailable:
        """What the backend says about itself, or why it cannot be used here."""
        key = _key(spec)
        try:
            talk = self._talk(key)
            while talk.is_starting:
                _attend([talk])
        except Lost as lost:
            self._unavailable[key] = Unavailable(str(lost))
            self._talks.pop(key, None)
        if key in self._unavailable:
            return self._unavailable[key]
        return self._talks[key].description

    def start(self, specs: Sequence[BackendSpec]) -> None:
        """Start all of their workers at once; `describe` waits for each and says what went wrong."""
        with contextlib.suppress(Lost):
            for spec in specs:
                self._talk(_key(spec))

    def _talk(self, key: Key) -> Conversation:
        if key in self._unavailable:
            raise Lost(key[0], self._unavailable[key].reason)
        if key not in self._talks:
            launch = Launch.of(catalogue.find(key[0]), *key[1:], forks=self._forks)
            self._talks[key] = Conversation(launch, self._timeout, self._memory)
        return self._talks[key]

    def run(
        self, cases: Sequence[Case], specs: Sequence[BackendSpec], fill: int = FILLS[0]
    ) -> list[dict[str, Outcome]]:
        """Outcome of every case on every backend, by the backend's text.

        Raises:
            BadInput: a backend cannot be used, or does not take an option.
        """
        return self._ask(Batch("run", cases, fill), specs, reply.outcome)

    def run_one(self, case: Case, spec: BackendSpec, fill: int = FILLS[0]) -> Outcome:
        """Outcome of one case on one backend.

        Raises:
            BadInput: the backend cannot be used, or does not take an option.
        """
        return self.run([case], [spec], fill)[0][spec.text]

    def tap(self, case: Case, spec: BackendSpec) -> Tapped | Refused | Crashed | TimedOut:
        """Intermediate tensors and the plan of one case on one backend.

        Raises:
            BadInput: the backend cannot be used, or does not take an option.
        """
        key = _key(spec)
        if self._lost_taps[key] >= MOST_LOST_TAPS:
            return Refused("its tap crashed or hung again and again", documented=True)
        tapped = self._ask(Batch("tap", [case]), [spec], reply.tapped)[0][spec.text]
        self._lost_taps[key] += isinstance(tapped, Crashed | TimedOut)
        return tapped

    def _ask(
        self,
        batch: Batch,
        specs: Sequence[BackendSpec],
        read: Callable[[Message], Answer],
    ) -> list[dict[str, Answer | Crashed | TimedOut]]:
        by_worker = self._ready(specs)
        answers: list[dict[str, Answer | Crashed | TimedOut]] = [{} for _ in range(len(batch))]
        talks = {key: self._talks[key] for key in by_worker}
        questions = [
            (talks[key], [_for_adapter(spec) for spec in by_worker[key]]) for key in talks
        ]
        _discuss(batch, questions, self._busy or _cores())
        for key, talk in talks.items():
            said = iter(talk.answers)
            texts = [spec.text for spec in by_worker[key]]
            for answer in answers:
                for text in texts:
                    each = next(said)
                    answer[text] = read(each) if isinstance(each, tuple) else each
        return answers

    def _ready(self, specs: Sequence[BackendSpec]) -> dict[Key, list[BackendSpec]]:
        by_worker: dict[Key, list[BackendSpec]] = {}
        for spec in specs:
            by_worker.setdefault(_key(spec), []).append(spec)
        self.start(specs)
        for spec in specs:
            description = self.describe(spec)
            if isinstance(description, Unavailable):
                raise BadInput(f"backend {spec.text} cannot be used: {description.reason}")
            check_options(spec, description)
        return by_worker


def _key(spec: BackendSpec) -> Key:
    return spec.name, spec.python, dict(spec.options).get(ISA, "")


def _for_adapter(spec: BackendSpec) -> dict[str, str]:
    """The options without the one that is a matter of its process."""
    return {key: value for key, value in spec.options if key != ISA}


def _discuss(batch: Batch, questions: Sequence[Question], most: int) -> None:
    """Ask every worker and hear all answers; no more than ``most`` of them are busy at once.

    Raises:
        BadInput: a worker that crashed does not start again.
    """
    waiting, busy = deque(questions), list[Conversation]()
    try:
        while waiting or busy:
            while waiting and len(busy) < most:
                talk, options = waiting.popleft()
                busy.append(talk)
                talk.ask(batch, options)
            busy = [talk for talk in busy if talk.is_waiting()]
            if not busy:
                continue
            _attend(busy)
    except BaseException as error:
        for talk in busy:
            talk.end()  # half-read replies must not reach the next batch
        if isinstance(error, Lost):
            raise BadInput(f"backend {error.name} does not start again: {error}") from error
        raise


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _attend(waiting: Sequence[Conversation]) -> None:
    by_descriptor, poll = {}, select.poll()
    for talk in waiting:
        poll.register(talk.process.reads_from, select.POLLIN)
        by_descriptor[talk.process.reads_from] = talk.hear
        if talk.process.has_unsent():
            poll.register(talk.process.writes_to, select.POLLOUT)
            by_descriptor[talk.process.writes_to] = talk.flush
    patience = min(talk.deadline for talk in waiting) - time.monotonic()
    for descriptor, _ in poll.poll(max(0.0, min(patience, LOOK_SECONDS)) * 1000):
        by_descriptor[descriptor]()
    for talk in waiting:
        talk.check_time()
        talk.check_memory()
