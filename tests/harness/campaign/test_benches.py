"""Benches that threads borrow: one at a time each, of one plan at a time."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.bench import Bench
from harness.campaign.benches import Benches
from harness.campaign.plan import Plan

FIRST, SECOND = Plan(1, "conv", "any", ""), Plan(2, "conv", "any", "")


@dataclass
class FakePool:
    closed: bool = False

    def close(self) -> None:
        self.closed = True


@dataclass
class Opened:
    """Opens benches, and remembers them."""

    pools: list[Any] = field(default_factory=list)

    def __call__(self, plan: Plan) -> Bench:
        self.pools.append(FakePool())
        return Bench(self.pools[-1], (), {})

    @property
    def closed(self) -> list[bool]:
        return [each.closed for each in self.pools]


def test_a_bench_is_used_again_but_never_by_two() -> None:
    opened = Opened()
    benches = Benches(opened)
    with benches.lent(FIRST) as one, benches.lent(FIRST) as other:
        assert one is not other
    with benches.lent(FIRST) as again:
        assert again in (one, other)
    assert opened.closed == [False, False]
    benches.close()
    assert opened.closed == [True, True]


def test_another_plan_ends_the_benches_of_the_one_before() -> None:
    opened = Opened()
    benches = Benches(opened)
    with benches.lent(FIRST), benches.lent(SECOND):
        pass
    assert opened.closed == [True, False]
    with benches.lent(FIRST):
        pass
    assert opened.closed == [True, True, False]


def test_a_bench_that_failed_is_not_used_again() -> None:
    opened = Opened()
    benches = Benches(opened)
    with pytest.raises(ValueError, match="broken"), benches.lent(FIRST):
        raise ValueError("broken")
    assert opened.closed == [True]
