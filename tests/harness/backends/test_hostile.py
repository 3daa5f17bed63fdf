"""Adapters that misbehave around their answers: what they do is a value, and costs little."""

import time

from harness.backends.description import Unavailable
from harness.backends.pool import MOST_LOST_TAPS, Pool
from harness.backends.spec import parse
from harness.outcome import Crashed, Refused, TimedOut
from tests.harness.benches import grouped


def test_a_crash_is_a_crash_though_a_child_holds_the_pipe() -> None:
    with Pool(timeout=0.5) as pool:
        outcome = pool.run_one(grouped(), parse("tests.fakes:dies_and_leaves_a_child"))
    assert isinstance(outcome, Crashed)
    assert outcome.how == "exit 5"


def test_a_description_of_the_wrong_types_is_said_in_one_line() -> None:
    with Pool() as pool:
        answer = pool.describe(parse("tests.fakes:DescribesItselfWrongly"))
    assert isinstance(answer, Unavailable)
    assert "its description is wrong: version is 7" in answer.reason


def test_a_tap_without_a_plan_is_no_tap() -> None:
    with Pool() as pool:
        tapped = pool.tap(grouped(), parse("tests.fakes:TapsWrongly"))
    assert isinstance(tapped, Refused)
    assert tapped.documented
    assert "plan" in tapped.message


def test_a_tap_that_hangs_is_not_asked_for_ever() -> None:
    spec = parse("tests.fakes:HangsWhenTapped")
    with Pool(timeout=0.1) as pool:
        for _ in range(MOST_LOST_TAPS):
            assert isinstance(pool.tap(grouped(), spec), TimedOut)
        start = time.monotonic()
        assert isinstance(pool.tap(grouped(), spec), Refused)
        assert time.monotonic() - start < 0.05


def test_what_is_no_number_is_a_refusal() -> None:
    with Pool() as pool:
        outcome = pool.run_one(grouped(), parse("tests.fakes:answers_in_words"))
    assert isinstance(outcome, Refused)
    assert not outcome.documented
    assert "output y has dtype <U" in outcome.message
