"""Ctrl-C and SIGTERM: both end a command early, but never in the middle of keeping something."""

import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ParamSpec, Self, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INSISTS = 4  # signals after which even what is held is given up


class Interrupts:
    """While entered, a signal raises ``KeyboardInterrupt(name)``, at once or when what is held is done."""

    def __init__(self) -> None:
        self._signals = self._raised = 0
        self._is_held, self._last = False, ""
        self._before = {each: signal.getsignal(each) for each in SIGNALS}

    def __enter__(self) -> Self:
        for each in SIGNALS:
            signal.signal(each, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    @property
    def came(self) -> bool:
        """Whether there was any."""
        return self._signals > 0

    def hold(self) -> None:
        """From now on only remember signals: what follows is short and must not be half done."""
        self._is_held = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block that no signal ends; `stopping` raises what came in it."""
        before, self._is_held = self._is_held, True
        try:
            yield
        finally:
            self._is_held = before

    def holding(self, act: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        """The same function, ``held`` while it runs."""

        def whole(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
            with self.held():
                return act(*arguments, **named)

        return whole

    def stopping(self, events: Generator[Result, None, None]) -> Iterator[Result]:
        """The same events; a signal that was held is raised inside ``events``, which may say more."""
        event = next(events, None)
        while event is not None:
            yield event
            if self._signals > self._raised == 0:
                self._raised = 1
                event = events.throw(KeyboardInterrupt(self._last))
            else:
                event = next(events, None)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._signals, self._last = self._signals + 1, signal.Signals(number).name
        if not self._is_held or self._signals >= INSISTS:
            self._raised += 1
            raise KeyboardInterrupt(self._last)
