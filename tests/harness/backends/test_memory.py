"""Memory: who takes too much is ended, and a leak is no case's fault."""

import os

import pytest

from harness.backends.description import Unavailable
from harness.backends.pool import Pool
from harness.backends.process import Process
from harness.backends.spec import parse
from harness.outcome import Crashed, Values
from tests.harness.backends.models import pixels

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")  # noqa: PTH110

MIB = 1 << 20
GOOD, FATAL = pixels(5, 6, 7, 8), pixels(13, 6, 7, 8)


def test_a_case_that_takes_too_much_is_a_crash_in_the_same_words() -> None:
    spec = parse("tests.fakes:hoards")
    with Pool(timeout=30.0, memory=600 * MIB) as pool:
        first, second, third = (
            each[spec.text] for each in pool.run([GOOD, FATAL, GOOD], [spec])
        )
    assert isinstance(first, Values)
    assert second == Crashed("used more than 600 MiB", "")
    assert isinstance(third, Values)


def test_a_leak_is_no_outcome_of_any_case() -> None:
    spec = parse("tests.fakes:leaks")
    pids = set()
    with Pool(timeout=30.0, memory=600 * MIB) as pool:
        for _ in range(2):  # within a batch, and between batches
            found = pool.run([GOOD] * 8, [spec])
            assert all(isinstance(each[spec.text], Values) for each in found)
            pids |= set(pool.pids().values())
    assert len(pids) > 1


def test_too_little_memory_for_a_backend_is_said_in_one_line() -> None:
    with Pool(memory=8 * MIB) as pool:
        said = pool.describe(parse("tests.fakes:perfect"))
    assert isinstance(said, Unavailable)
    assert said.reason == "its worker ended (used more than 8 MiB)"


def test_a_reply_of_absurd_size_is_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.backends.process.MOST_BODY_BYTES", 1 << 10)
    with Pool() as pool:
        outcome = pool.run_one(GOOD, parse("tests.fakes:talks_too_much"))
    assert outcome == Crashed("garbage on its pipe: a reply of more than 2 GiB", "")


def test_the_memory_of_a_process_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "pid", property(lambda _: os.getpid()))
    assert MIB < Process.resident(object.__new__(Process)) < 64 << 30
