"""The unit of work: the same for the same task, and what it says of hangs, flaws and known bugs."""

import pickle
from pathlib import Path

from harness.campaign.judge import Task, judge
from harness.campaign.plan import Plan
from harness.campaign.suspicions import Knowledge, bug_of
from harness.investigate import shrink
from harness.suspect import Suspect
from tests.harness.benches import bench_of

PLAN = Plan(seed=1, family="conv", scales="any", out="")
FAULTY = "engine:fault=F25"


def test_the_same_task_gives_the_same_and_survives_the_way_to_another_process() -> None:
    with bench_of(FAULTY) as bench:
        task = pickle.loads(pickle.dumps(Task(range(5, 15))))
        first, second = (judge(bench, PLAN, task, deep=False) for _ in range(2))
    assert first.rows == second.rows == pickle.loads(pickle.dumps(first)).rows
    assert [each.number for each in first.suspicions] == [
        each.number for each in second.suspicions
    ]
    assert [row.number for row in first.rows] == list(range(5, 15))


def test_a_known_bug_is_counted_and_no_suspicion() -> None:
    with bench_of(FAULTY) as bench:
        blind = judge(bench, PLAN, Task(range(20)), deep=True)
        found = [s for each in blind.suspicions for s in each.suspects or ()]
        (suspect,) = found[:1]
        assert isinstance(suspect, Suspect)
        known = Knowledge(bugs=(bug_of(suspect),))
        wise = judge(bench, PLAN, Task(range(20), known), deep=True)
    assert not wise.suspicions
    assert wise.seen == {suspect.signature.id: len(blind.suspicions)}
    assert wise.rows == blind.rows


def test_what_is_known_by_its_id_comes_back_as_the_id() -> None:
    with bench_of(FAULTY) as bench:
        (first, *_) = judge(bench, PLAN, Task(range(20)), deep=True).suspicions
        (suspect,) = first.suspects or ()
        assert isinstance(suspect, Suspect)
        known = Knowledge(ids={suspect.signature.id: "cafe"})
        (again, *_) = judge(bench, PLAN, Task(range(20), known), deep=True).suspicions
    assert again.suspects == ("cafe",)


def test_a_crash_that_does_not_come_again_is_nondeterministic(tmp_path: Path) -> None:
    name = f"tests.fakes:dies_once:mark={tmp_path / 'mark'}"
    with bench_of(name) as bench:
        judged = judge(bench, PLAN, Task(range(1)), deep=True)
    (row,), (suspicion,) = judged.rows, judged.suspicions
    assert row.words[name] == "nondeterministic"
    (suspect,) = suspicion.suspects or ()
    assert isinstance(suspect, Suspect)
    assert suspect.signature.kind == "nondeterministic"
    assert suspect.message == "crashed in one run, not in another: signal SIGABRT: only once"


def test_a_crash_of_a_model_that_the_engine_never_saw_is_no_operators_bug(
    tmp_path: Path,
) -> None:
    name = f"tests.fakes:dies_once_of_what_it_refuses:mark={tmp_path / 'mark'}"
    with bench_of(name) as bench:
        (suspicion,) = judge(bench, PLAN, Task(range(4)), deep=True).suspicions
        (suspect,) = suspicion.suspects or ()
        assert isinstance(suspect, Suspect)
        small = shrink(bench, suspect)
    assert small is suspect
    cause = "nondeterministic | harm of an earlier case | harm of an earlier case"
    assert suspect.signature.text.endswith(cause)
    assert suspect.message == "crashed in one run, not in another: signal SIGABRT: only once"


def test_what_is_skipped_is_not_asked_and_counted() -> None:
    with bench_of("engine", FAULTY) as bench:
        operators = ("QLinearConv", "Conv", "ConvInteger", "ConvTranspose")
        skipped = frozenset((FAULTY, each) for each in operators)
        judged = judge(bench, PLAN, Task(range(20), skipped=skipped), deep=False)
    assert not any(FAULTY in row.words for row in judged.rows)
    assert sum("engine" in row.words for row in judged.rows) > 15
    assert judged.unasked == {FAULTY: 20}
