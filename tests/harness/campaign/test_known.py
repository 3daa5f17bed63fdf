"""When two suspects are one bug: the same signature, or one fault that explains both."""

from dataclasses import replace

import pytest

from corpus.finding import Match
from harness.campaign.journal import NoJournal, Past
from harness.campaign.judge import Task, judge
from harness.campaign.known import KnownBugs
from harness.campaign.plan import Plan
from harness.campaign.suspicions import bug_of
from harness.investigate import tells_another
from harness.suspect import Suspect
from tests.harness.benches import bench_of

PLAN = Plan(seed=1, family="conv", scales="any", out="")


@pytest.fixture(scope="module")
def found() -> Suspect:
    with bench_of("engine:fault=F25") as bench:
        (first, *_) = judge(bench, PLAN, Task(range(20)), deep=True).suspicions
    (suspect,) = first.suspects or ()
    assert isinstance(suspect, Suspect)
    return suspect


def explained(suspect: Suspect, *faults: str, kind: str = "divergent") -> Suspect:
    """The suspect as if these faults, the likeliest first, explained it."""
    matches = tuple(Match(each, each, 8, 8) for each in faults)
    cause = faults[0] if faults else "unexplained"
    signature = replace(suspect.signature, cause=cause, kind=kind)
    return replace(suspect, signature=signature, matches=matches)


@pytest.mark.parametrize(
    ("faults", "kind", "same"),
    [
        (("F14",), "divergent", True),
        (("F16",), "divergent", False),
        (("F16", "F14"), "divergent", True),
        (("F20", "F14"), "divergent", True),
        (("F20", "F16"), "divergent", False),
        (("F20",), "divergent", False),
        (("F16",), "rounding-mode", False),
        ((), "divergent", False),
    ],
)
def test_one_fault_that_explains_both_makes_them_one(
    found: Suspect, faults: tuple[str, ...], kind: str, same: bool
) -> None:
    known = KnownBugs(Past(), NoJournal())
    first = explained(found, "F14", "F16")
    known.found(bug_of(first))
    name = known.finding_like(explained(found, *faults, kind=kind))
    assert name == (first.signature.id if same else "")


def test_what_a_bug_became_is_met_at_once_the_next_time(found: Suspect) -> None:
    known = KnownBugs(Past(), NoJournal())
    first, larger = explained(found, "F14", "F16"), explained(found, "F20", "F14")
    known.found(bug_of(first))
    known.became(larger.signature, known.finding_like(larger))
    assert known.finding_of(larger.signature) == first.signature.id
    assert known.knowledge().ids[larger.signature.id] == first.signature.id


@pytest.mark.parametrize(
    ("larger", "small", "expected"),
    [
        (("F129",), ("F143",), True),
        (("F129",), ("F129",), False),
        ((), ("F143",), False),
        (("F129",), (), False),
    ],
)
def test_one_fault_is_not_known_by_another_that_its_case_shows_too(
    found: Suspect, larger: tuple[str, ...], small: tuple[str, ...], expected: bool
) -> None:
    both = explained(found, *larger), explained(found, *small)
    assert tells_another(*both) == expected
