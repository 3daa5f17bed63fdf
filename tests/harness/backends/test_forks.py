"""Workers that fork: every case meets its engine as just imported, and fails as it would elsewhere."""

from collections.abc import Iterator

import pytest

from harness.backends.batch import FILLS
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.outcome import Crashed, Outcome, Refused, Tapped, TimedOut, Values
from tests.harness.backends.models import pixels

MIB = 1 << 20
GOOD, FATAL = pixels(5, 6, 7, 8), pixels(13, 6, 7, 8)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(timeout=30.0, memory=600 * MIB, forks=True) as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("crashes", Crashed("signal SIGABRT", "about to abort")),
        ("exits", Crashed("exit 3", "")),
        ("exits_as_if_all_were_well", Crashed("exit 0", "")),
        ("hoards", Crashed("used more than 600 MiB", "")),
        ("is_killed", Crashed("signal SIGKILL", "")),
    ],
)
def test_a_fatal_case_ends_as_in_any_worker(pool: Pool, name: str, expected: Outcome) -> None:
    spec = parse(f"tests.fakes:{name}")
    first, second, third = (each[spec.text] for each in pool.run([GOOD, FATAL, GOOD], [spec]))
    assert isinstance(first, Values)
    assert second == expected
    assert isinstance(third, Values)


def test_a_case_that_hangs_ends_with_its_worker() -> None:
    with Pool(timeout=1.0, forks=True) as pool:
        assert pool.run_one(FATAL, parse("tests.fakes:hangs")) == TimedOut(1.0)


def test_no_case_finds_what_another_left(pool: Pool) -> None:
    spec = parse("tests.fakes:leaks")
    found = pool.run([GOOD] * 12, [spec])
    assert all(isinstance(each[spec.text], Values) for each in found)
    (before,) = [pid for (name, *_), pid in pool.pids().items() if name == spec.name]
    pool.run([GOOD], [spec])
    assert (
        before in pool.pids().values()
    )  # twelve leaks of 100 MiB, and it need not be replaced


@pytest.mark.parametrize("fake", ["reads_what_nobody_wrote", "reads_small_blocks"])
def test_new_memory_is_not_clean(pool: Pool, fake: str) -> None:
    """Else a kernel that reads beside its tensors finds the same zeros in every process."""
    spec = parse(f"tests.fakes:{fake}")
    with Pool(timeout=30.0) as plain:
        answers = [plain.run_one(GOOD, spec)]
    answers += [pool.run_one(GOOD, spec, fill) for fill in FILLS]
    found = [each.arrays["y"].tobytes() for each in answers if isinstance(each, Values)]
    assert len(set(found)) == len(FILLS) + 1


def test_a_refusal_and_a_plan_come_through(pool: Pool) -> None:
    assert isinstance(pool.run_one(GOOD, parse("tests.fakes:raises")), Refused)
    assert isinstance(pool.tap(GOOD, parse("tests.fakes:Full")), Tapped)
