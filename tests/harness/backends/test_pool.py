import os
import signal
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from corpus.case import Case
from harness.backends import pool as pool_module
from harness.backends import process
from harness.backends.conversation import Conversation
from harness.backends.description import Description, Unavailable
from harness.backends.pool import Pool
from harness.backends.spec import BackendSpec, parse
from harness.errors import BadInput
from harness.outcome import Crashed, FusedOp, Outcome, Refused, Tapped, TimedOut, Values
from tests.harness.backends.models import pixels

GOOD = [pixels(5, 6, 7, 8), pixels(3, 4, 5, 6)]
FATAL = pixels(13, 6, 7, 8)
ANSWERS = [[2, 3, 3, 3], [1, 1, 2, 3]]  # (x - 3) / 2 rounded half to even, plus 1
PERFECT = parse("tests.fakes:perfect")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(timeout=1.0) as opened:
        yield opened


def fake(name: str) -> BackendSpec:
    return parse(f"tests.fakes:{name}")


def numbers(outcome: Outcome) -> list[int]:
    assert isinstance(outcome, Values)
    return [int(each) for each in outcome.arrays["y"].ravel()]


def test_a_perfect_backend_answers_in_order(pool: Pool) -> None:
    found = pool.run(GOOD, [PERFECT])
    assert [numbers(each[PERFECT.text]) for each in found] == ANSWERS


def test_answers_of_a_large_batch_stay_in_order(pool: Pool) -> None:
    found = pool.run(GOOD * 20, [PERFECT])
    assert [numbers(each[PERFECT.text]) for each in found] == ANSWERS * 20


def test_no_more_workers_are_busy_than_there_are_cores(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy: list[int] = []
    attend = pool_module._attend

    def counted(talks: Sequence[Conversation]) -> None:
        busy.append(len(talks))
        attend(talks)

    other = fake("rounds_half_up")
    pool.run(GOOD, [PERFECT, other])  # both have started
    monkeypatch.setattr(pool_module, "_attend", counted)
    monkeypatch.setattr(pool_module, "_cores", lambda: 1)
    found = pool.run(GOOD, [PERFECT, other])
    assert set(busy) == {1}
    assert all(len(each) == 2 for each in found)
    assert [numbers(each[PERFECT.text]) for each in found] == ANSWERS


def test_an_empty_batch_asks_nobody(pool: Pool) -> None:
    assert pool.run([], [PERFECT]) == []


@pytest.mark.parametrize(
    ("name", "how"),
    [("crashes", "signal SIGABRT"), ("exits", "exit 3"), ("hangs", "")],
)
def test_a_fatal_case_spoils_only_itself(pool: Pool, name: str, how: str) -> None:
    spec = fake(name)
    found = pool.run([GOOD[0], FATAL, GOOD[1]], [spec, PERFECT])
    assert [numbers(found[i][spec.text]) for i in (0, 2)] == ANSWERS
    assert [numbers(found[i][PERFECT.text]) for i in (0, 2)] == ANSWERS
    assert isinstance(found[1][PERFECT.text], Values)
    outcome = found[1][spec.text]
    if how:
        assert isinstance(outcome, Crashed)
        assert outcome.how == how
    else:
        assert outcome == TimedOut(1.0)


def test_options_after_a_crash_are_still_asked(pool: Pool) -> None:
    specs = [fake("crashes_unless"), fake("crashes_unless:safe=yes")]
    found = pool.run([GOOD[0], GOOD[1]], specs)
    for i in (0, 1):
        assert isinstance(found[i][specs[0].text], Crashed)
        assert numbers(found[i][specs[1].text]) == ANSWERS[i]


def test_the_last_words_of_a_crash_are_kept(pool: Pool) -> None:
    outcome = pool.run_one(FATAL, fake("crashes"))
    assert isinstance(outcome, Crashed)
    assert outcome.stderr.endswith("about to abort")


def test_what_was_said_of_earlier_cases_is_not_said_of_a_crash(pool: Pool) -> None:
    spec = fake("chatters")
    *_, last = pool.run([*GOOD, FATAL], [spec])
    assert last[spec.text] == Crashed("signal SIGABRT", "")


def test_garbage_on_the_pipe_is_a_crash_of_that_case(pool: Pool) -> None:
    outcome = pool.run_one(GOOD[0], fake("scribbles_on_its_pipe"))
    assert isinstance(outcome, Crashed)
    assert outcome.how.startswith("garbage on its pipe")


def test_an_exception_is_an_undocumented_refusal(pool: Pool) -> None:
    outcome = pool.run_one(GOOD[0], fake("raises"))
    assert outcome == Refused("NotImplementedError: no kernel for this", documented=False)


def test_a_list_instead_of_a_dict_is_a_refusal(pool: Pool) -> None:
    outcome = pool.run_one(GOOD[0], fake("not_a_dict"))
    assert outcome == Refused("TypeError: run returned list, not a dict", documented=False)


def test_lies_reach_the_judge_unchanged(pool: Pool) -> None:
    names = ("lies_about_shape", "lies_about_dtype", "wrong_name", "nan", "forgets_zero_point")
    specs = [fake(name) for name in names]
    (found,) = pool.run(GOOD[:1], specs)
    shape, dtype, name, nan, wrong = (found[spec.text] for spec in specs)
    assert isinstance(shape, Values)
    assert shape.arrays["y"].shape == (4,)
    assert isinstance(dtype, Values)
    assert dtype.arrays["y"].dtype == np.int32
    assert isinstance(name, Values)
    assert set(name.arrays) == {"y_0"}
    assert isinstance(nan, Values)
    assert np.isnan(nan.arrays["y"]).all()
    assert numbers(wrong) == [3, 4, 5, 5]


def test_half_up_differs_on_the_tie_alone(pool: Pool) -> None:
    assert numbers(pool.run_one(GOOD[0], fake("rounds_half_up"))) == [2, 3, 3, 4]


def test_a_random_backend_answers_differently_twice(pool: Pool) -> None:
    large = pixels(1, 2, 3, 4)
    answers = {tuple(numbers(pool.run_one(large, fake("random")))) for _ in range(4)}
    assert len(answers) > 1


def test_printing_does_not_disturb(pool: Pool) -> None:
    assert numbers(pool.run_one(GOOD[0], fake("prints"))) == ANSWERS[0]


def test_a_backend_that_overwrites_its_inputs_harms_nobody(pool: Pool) -> None:
    spec = fake("spoils_inputs")
    other = BackendSpec(spec.name, (), "")
    assert numbers(pool.run([GOOD[0]], [spec, other])[0][spec.text]) == ANSWERS[0]
    assert [int(each) for each in GOOD[0].inputs["x"].ravel()] == [5, 6, 7, 8]


def test_options_become_keyword_arguments_and_share_a_worker(pool: Pool) -> None:
    specs = [fake("takes_options"), fake("takes_options:add=2"), fake("takes_options:add=5")]
    (found,) = pool.run(GOOD[:1], specs)
    assert [numbers(found[spec.text])[0] for spec in specs] == [2, 4, 7]


def test_a_batch_larger_than_every_pipe_passes() -> None:
    big = Case(
        GOOD[0].model, {"x": np.full((1, 1, 2, 2), 5, np.uint8), "rest": np.zeros(1 << 21)}
    )
    specs = [fake("echoes"), fake("prints")]
    # 96 MiB are passed, on a busy machine in over a second.
    with Pool(timeout=60.0) as patient:
        found = patient.run([big] * 3, specs)
    for each in found:
        outcome = each[specs[0].text]
        assert isinstance(outcome, Values)
        assert outcome.arrays["rest"].nbytes == 1 << 24


def test_a_campaign_that_was_stopped_blames_no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    attend = pool_module._attend
    stops = iter([1.5])

    def stopped(talks: Sequence[Conversation]) -> None:
        time.sleep(next(stops, 0.0))
        attend(talks)

    spec = fake("echoes")
    cases = [Case(GOOD[0].model, {**GOOD[0].inputs, "rest": np.zeros(1 << 12)})] * 100
    with Pool(timeout=0.3) as pool:
        pool.run(GOOD, [spec])  # it has started
        monkeypatch.setattr(pool_module, "_attend", stopped)
        found = pool.run(cases, [spec])  # the pipe is full, and longer so than it may hang
    assert all(isinstance(each[spec.text], Values) for each in found)


def test_no_cases_need_no_answer(pool: Pool) -> None:
    assert pool.run([], [PERFECT]) == []


def test_a_full_adapter_describes_limits_and_taps(pool: Pool) -> None:
    spec = fake("Full")
    said = pool.describe(spec)
    assert isinstance(said, Description)
    assert (said.name, said.version, said.switches, said.taps) == (
        "full",
        "7",
        ("fuse",),
        True,
    )
    refused = pool.run_one(GOOD[0], spec.with_option("level", "low"))
    assert refused == Refused("level low runs nothing", documented=True)
    tapped = pool.tap(GOOD[0], spec)
    assert isinstance(tapped, Tapped)
    assert tapped.plan == (FusedOp("Conv8", "c", ("c",), ("x",), ("y",)),)
    assert set(tapped.arrays) == {"x", "y"}
    assert tapped.confirmed


def test_a_function_has_no_taps(pool: Pool) -> None:
    assert pool.tap(GOOD[0], PERFECT) == Refused("this backend has no taps", documented=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no_such_module:run", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("tests.fakes:no_such_function", "has no attribute 'no_such_function'"),
        ("tests.fakes:ANSWER", "has no attribute"),
        ("os:sep", "neither a function nor an object with a method run"),
        ("ort@/no/such/python", "/no/such/python is not a Python interpreter that can be run"),
        ("ort@/bin/false", "its worker ended (exit 1)"),
        ("tests.harness.backends.dies_on_import:run", "its worker ended (exit 7)"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(pool: Pool, text: str, words: str) -> None:
    spec = parse(text)
    said = pool.describe(spec)
    assert isinstance(said, Unavailable)
    assert words in said.reason
    assert "\n" not in said.reason
    with pytest.raises(BadInput, match="cannot be used"):
        pool.run_one(GOOD[0], spec)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tests.fakes:Full:levle=low", "no option 'levle'; its options: level"),
        ("tests.fakes:Full:level=medium", "level=medium is not one of high, low"),
    ],
)
def test_an_option_it_does_not_have_is_bad_input(pool: Pool, text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        pool.run_one(GOOD[0], parse(text))


def test_starting_again_takes_little_more_than_starting(pool: Pool) -> None:
    spec = fake("crashes")
    with Pool() as fresh:
        start = time.perf_counter()
        fresh.run_one(GOOD[0], spec)
        cold = time.perf_counter() - start
        start = time.perf_counter()
        fresh.run([FATAL, GOOD[0]], [spec])
        assert time.perf_counter() - start < 3 * cold + 0.5  # the machine may be busy


def test_a_worker_killed_while_idle_blames_no_case() -> None:
    with Pool() as fresh:
        fresh.run_one(GOOD[0], PERFECT)
        (talk,) = fresh._talks.values()
        os.kill(talk.process._popen.pid, signal.SIGKILL)
        talk.process._popen.wait()
        assert numbers(fresh.run_one(GOOD[0], PERFECT)) == ANSWERS[0]


def test_a_worker_killed_from_outside_is_asked_again(tmp_path: Path) -> None:
    spec = parse(f"tests.fakes:is_killed_once:mark={tmp_path / 'mark'}")
    with Pool() as fresh:
        found = fresh.run(GOOD, [spec])
    assert [numbers(each[spec.text]) for each in found] == ANSWERS


def test_a_case_that_has_its_worker_killed_twice_is_to_blame() -> None:
    spec = fake("is_killed")
    with Pool() as fresh:
        found = [each[spec.text] for each in fresh.run([GOOD[0], FATAL, GOOD[1]], [spec])]
    assert numbers(found[0]) == ANSWERS[0]
    assert found[1] == Crashed("signal SIGKILL", "")
    assert numbers(found[2]) == ANSWERS[1]


def test_an_interrupted_batch_does_not_leak_into_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Pool() as fresh:
        fresh.run_one(GOOD[0], PERFECT)
        hear = Conversation.hear

        def interrupted(talk: Conversation) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Conversation, "hear", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fresh.run_one(GOOD[1], PERFECT)
        monkeypatch.setattr(Conversation, "hear", hear)
        assert numbers(fresh.run_one(GOOD[0], PERFECT)) == ANSWERS[0]


def test_closing_ends_every_worker_even_a_hanging_one() -> None:
    fresh = Pool(timeout=60.0)
    fresh.describe(PERFECT)
    (talk,) = fresh._talks.values()
    fresh.close()
    assert not talk.process.is_alive()


def test_a_worker_ends_when_its_parent_goes_away() -> None:
    with Pool() as fresh:
        fresh.describe(PERFECT)
        (talk,) = fresh._talks.values()
        talk.process.hang_up()
        assert talk.process._popen.wait(10) == 0


def test_the_same_interpreter_by_path_is_ours(pool: Pool) -> None:
    found = pool.run(GOOD[:1], [parse(f"tests.fakes:perfect@{sys.executable}")])
    (outcome,) = found[0].values()
    assert numbers(outcome) == ANSWERS[0]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another environment that sees our packages but neither our root nor our scripts."""
    folder = tmp_path_factory.mktemp("foreign") / "old"
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "shared.pth").write_text(f"{Path(np.__file__).parents[1]}\n")
    return folder


def test_another_environment_does_not_get_our_root(foreign: Path) -> None:
    with Pool() as fresh:
        spec = parse(f"tests.harness.backends.where:run@{foreign}/bin/python")
        outcome = fresh.run_one(GOOD[0], spec)
    assert isinstance(outcome, Values)
    assert outcome.arrays["prefix"].tobytes().decode() == str(foreign)
    path = outcome.arrays["path"].tobytes().decode().split("\n")
    assert path.count(str(Path.cwd())) == 1  # the user's module is there
    assert not [each for each in path if Path(each) == Path(process.__file__).parent]


def test_our_adapter_runs_another_environments_engine(foreign: Path) -> None:
    here, there = parse("ort"), parse(f"ort@{foreign}/bin/python")
    with Pool() as fresh:
        (found,) = fresh.run(GOOD[:1], [here, there])
    assert numbers(found[there.text]) == numbers(found[here.text]) == [2, 3, 3, 3]


def test_our_engine_is_not_in_another_environment(foreign: Path) -> None:
    with Pool() as fresh:
        said = fresh.describe(parse(f"engine@{foreign}/bin/python"))
    assert isinstance(said, Unavailable)
    assert "No module named 'engine'" in said.reason
