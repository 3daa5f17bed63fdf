"""Answers gather in a worker before they are sent; what happens to it is still told of the right case."""

from pathlib import Path

import numpy as np
import pytest

from corpus.case import Case
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.outcome import Crashed, Outcome, TimedOut, Values
from tests.harness.backends.models import pixels
from tests.harness.backends.once import FATAL, asked

PLACE = 5
NUMBERS = [*range(20, 20 + PLACE), FATAL, *range(30, 34)]


def answers(name: str, folder: Path, timeout: float = 30.0) -> list[Outcome]:
    spec = parse(f"tests.harness.backends.once:{name}:folder={folder}")
    with Pool(timeout) as pool:
        return [each[spec.text] for each in pool.run([_case(n) for n in NUMBERS], [spec])]


def _case(number: int) -> Case:
    return pixels(number, 3, 3, 3)


def assert_right(number: int, outcome: Outcome) -> None:
    assert isinstance(outcome, Values)
    assert outcome.arrays["y"].ravel()[0] == np.rint((number - 3) / 2) + 1


def assert_right_but_for_the_fatal_one(found: list[Outcome]) -> None:
    assert len(found) == len(NUMBERS)
    for number, outcome in zip(NUMBERS, found, strict=True):
        if number != FATAL:
            assert_right(number, outcome)


def test_a_crash_that_does_not_come_again_is_told_of_its_case(tmp_path: Path) -> None:
    found = answers("crashes_once", tmp_path)
    assert_right_but_for_the_fatal_one(found)
    crash = found[PLACE]
    assert isinstance(crash, Crashed)
    assert crash.how == "signal SIGABRT"
    assert asked(tmp_path).count(FATAL) == 1  # those before were not sent and are asked again


def test_a_case_that_hangs_once_is_told_of(tmp_path: Path) -> None:
    found = answers("hangs_once", tmp_path, timeout=0.5)
    assert_right_but_for_the_fatal_one(found)
    assert found[PLACE] == TimedOut(0.5)
    assert asked(tmp_path).count(FATAL) == 1


def test_who_is_killed_once_is_asked_again(tmp_path: Path) -> None:
    found = answers("is_killed_once", tmp_path)
    assert_right_but_for_the_fatal_one(found)
    assert_right(FATAL, found[PLACE])


def test_who_is_killed_twice_over_a_case_crashed_in_it(tmp_path: Path) -> None:
    found = answers("is_killed", tmp_path)
    assert_right_but_for_the_fatal_one(found)
    assert found[PLACE] == Crashed("signal SIGKILL", "")


def test_garbage_is_told_of_its_case(tmp_path: Path) -> None:
    found = answers("scribbles", tmp_path)
    assert_right_but_for_the_fatal_one(found)
    crash = found[PLACE]
    assert isinstance(crash, Crashed)
    assert crash.how.startswith("garbage on its pipe")


def test_answers_that_are_nearly_late_are_all_in_time(tmp_path: Path) -> None:
    found = answers("is_slow", tmp_path, timeout=0.7)
    for number, outcome in zip(NUMBERS, found, strict=True):
        assert_right(number, outcome)


@pytest.mark.parametrize("name", ["crashes_once", "is_killed"])
def test_several_options_of_one_case_are_told_apart(name: str, tmp_path: Path) -> None:
    folders = [tmp_path / each for each in "ab"]
    for folder in folders:
        folder.mkdir()
    specs = [
        parse(f"tests.harness.backends.once:{name}:folder={folder}") for folder in folders
    ]
    with Pool(30.0) as pool:
        found = pool.run([_case(n) for n in NUMBERS], specs)
    for spec in specs:
        mine = [each[spec.text] for each in found]
        assert_right_but_for_the_fatal_one(mine)
        assert isinstance(mine[PLACE], Crashed)
