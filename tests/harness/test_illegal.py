"""A model that the standard forbids: no answer is right or wrong, but a crash is a finding."""

from pathlib import Path

import pytest

from corpus.case import Case
from generators.choices import RandomChoices
from generators.graphs import draw_case
from generators.illegal import breach_of, broken, draw_illegal
from harness.backends.spec import parse
from harness.campaign.judge import Task, judge
from harness.campaign.plan import ILLEGAL_EVERY, Plan
from harness.investigate import shrink
from harness.oracle import Oracle, Silent
from harness.outcome import Crashed, Outcome, Refused, TimedOut, Values
from harness.same import shows_bug
from harness.suspect import suspects
from harness.verdicts import is_wrong, judge_all
from tests.harness.benches import bench_of

SPEC = parse("engine")
UNKNOWN = "an unknown operator"


def illegal(name: str = UNKNOWN, family: str = "conv") -> Case:
    found = broken(name, draw_case(family, "any", 1), RandomChoices(1))
    assert found is not None
    return found.case


@pytest.mark.parametrize("outcome", [Values({}), Refused("no", documented=False)])
def test_no_answer_to_it_is_judged(outcome: Outcome) -> None:
    judged = judge_all(illegal(), {SPEC: outcome})
    assert judged.words == {}
    assert judged.silent == f"{UNKNOWN}: the model is not valid"
    assert not is_wrong(illegal(), outcome)


@pytest.mark.parametrize(
    ("outcome", "word"),
    [(Crashed("signal SIGSEGV", ""), "crashed"), (TimedOut(1.0), "timed-out")],
)
def test_a_crash_is_a_bug_whatever_the_model(outcome: Outcome, word: str) -> None:
    assert judge_all(illegal(), {SPEC: outcome}).words == {"engine": word}
    assert is_wrong(illegal(), outcome)


@pytest.mark.parametrize("name", [UNKNOWN, "a node that reads its own output", "no inputs"])
def test_a_crash_on_it_has_a_suspect(name: str) -> None:
    with bench_of("tests.fakes:crashes_on_what_is_not_valid") as bench:
        (spec,) = bench.specs
        case = illegal(name)
        outcome = bench.run(case, spec)
        assert isinstance(outcome, Crashed)
        (suspect,) = suspects(bench, spec, case, outcome)
    assert suspect.signature.kind == "crashed"
    assert suspect.signature.cause == f"the model is not valid: {name}"


def test_a_bug_on_broken_models_is_one_bug_whatever_the_operator() -> None:
    with bench_of("tests.fakes:crashes_on_what_is_not_valid") as bench:
        (spec,) = bench.specs
        first, other = (illegal(UNKNOWN, family) for family in ("conv", "pool"))
        (suspect,) = suspects(bench, spec, first, bench.run(first, spec))
        small = shrink(bench, suspect)
        assert small.case.model == first.model
        assert shows_bug(bench, small, other, bench.run(other, spec))
        another = illegal("no inputs")
        assert not shows_bug(bench, small, another, bench.run(another, spec))


def test_the_oracle_has_values_for_a_broken_model_or_is_silent() -> None:
    said = []
    for seed in range(300):
        case = draw_illegal("any", seed)
        try:
            Oracle(case.proto()).allowed(case.inputs)
        except Silent as silent:
            said.append(silent.what)
    assert any(each.startswith("the model is not valid: ") for each in said)


def test_one_case_in_a_hundred_of_all_families_is_illegal() -> None:
    plan = Plan(seed=1, family="all", scales="any", out="")
    for number in (0, 50, ILLEGAL_EVERY - 1, ILLEGAL_EVERY):
        assert bool(breach_of(plan.case(number))) == (number == ILLEGAL_EVERY - 1)
    assert set(plan.case(ILLEGAL_EVERY - 1).cells) < set(plan.cells())
    conv = Plan(seed=1, family="conv", scales="any", out="")
    assert not breach_of(conv.case(ILLEGAL_EVERY - 1))


def test_its_harm_reaches_no_valid_case() -> None:
    plan = Plan(seed=1, family="all", scales="any", out="")
    numbers = range(ILLEGAL_EVERY - 2, ILLEGAL_EVERY + 6)
    with bench_of("tests.fakes:is_harmed_by_what_is_not_valid", "engine") as bench:
        harmed, _ = bench.specs
        judged = judge(bench, plan, Task(numbers), deep=True)
        assert isinstance(bench.run(illegal(), harmed), Values)  # nor another broken one
    assert [row.number for row in judged.rows if not row.words] == [ILLEGAL_EVERY - 1]
    assert all(len(set(row.words.values())) < 2 for row in judged.rows)
    assert not judged.suspicions


def test_workers_for_it_start_when_the_first_comes_and_end_with_the_others() -> None:
    with bench_of("tests.fakes:perfect") as bench:
        (spec,) = bench.specs
        valid = draw_case("conv", "any", 1)
        bench.run_all([valid])
        assert not bench.pool.apart.pids()
        bench.run_all([valid, illegal(), valid])
        (apart,), (beside,) = bench.pool.apart.pids().values(), bench.pool.pids().values()
        assert apart != beside
        bench.tap(illegal(), spec)
        assert set(bench.pool.apart.pids().values()) == {apart}
    assert not Path(f"/proc/{apart}/cmdline").exists()
