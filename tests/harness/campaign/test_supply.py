"""What is judged next: how many cases, until when, and what hanging engines are not asked."""

from collections.abc import Mapping

import pytest

from harness.campaign.judge import JudgedTask, Task
from harness.campaign.plan import Plan
from harness.campaign.supply import MOST_CASES, MOST_HANGS, SKIPPED_CASES, Supply

PAIR = ("ort", "Gemm")
LONG, SHORT = 60.0, 0.1


def supply(cases: int | None = None, seconds: float | None = None, number: int = 0) -> Supply:
    return Supply(Plan(1, "conv", "any", "", cases=cases, seconds=seconds), number)


def judged(
    task: Task, hangs: Mapping[tuple[str, str], tuple[int, bool]] | None = None
) -> JudgedTask:
    return JudgedTask(task.numbers, (), (), {}, hangs or {}, {})


def take(source: Supply) -> Task:
    task = source.next()
    assert task is not None
    return task


def test_numbers_are_consecutive_and_end_where_planned() -> None:
    source = supply(cases=100, number=3)
    numbers: list[int] = []
    while task := source.next():
        numbers += task.numbers
        source.learn(judged(task), SHORT)
    assert numbers == list(range(3, 100))


def test_quick_tasks_grow_and_slow_ones_shrink() -> None:
    source = supply(cases=10_000)
    sizes = []
    for seconds in [SHORT] * 8 + [LONG] * 8:
        task = take(source)
        sizes.append(len(task.numbers))
        source.learn(judged(task), seconds)
    assert sizes[:8] == [1, 2, 4, 8, 16, 32, MOST_CASES, MOST_CASES]
    assert sizes[8:] == [64, 32, 16, 8, 4, 2, 1, 1]


def test_there_is_always_a_first_task_and_earlier_sessions_count() -> None:
    source = supply(seconds=10.0)
    source.spent = 11.0
    assert take(source).numbers == range(1)
    assert source.is_late
    assert source.next() is None


def test_an_engine_that_hangs_in_a_row_is_left_alone_for_a_while() -> None:
    source = supply(cases=10**6)
    for _ in range(MOST_HANGS):
        assert not source.next().skipped  # type: ignore[union-attr]
        source.learn(judged(Task(range(1)), {PAIR: (1, True)}), SHORT)
    task = take(source)
    assert task.skipped == {PAIR}
    assert task.watched == {PAIR}
    source.number = task.numbers.start + SKIPPED_CASES
    assert not take(source).skipped
    source.learn(judged(Task(range(1)), {PAIR: (1, True)}), SHORT)
    assert take(source).skipped == {PAIR}


@pytest.mark.parametrize("told", [(0, False), (1, False)])
def test_an_answer_in_between_forgives(told: tuple[int, bool]) -> None:
    source = supply(cases=10**6)
    source.learn(judged(Task(range(1)), {PAIR: (MOST_HANGS - 1, True)}), SHORT)
    source.learn(judged(Task(range(1)), {PAIR: told}), SHORT)
    source.learn(judged(Task(range(1)), {PAIR: (1, True)}), SHORT)
    assert not take(source).skipped
