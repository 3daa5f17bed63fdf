"""Claims on findings: one folder each, one writer each."""

from multiprocessing import get_context
from pathlib import Path

from harness.pytest_findings import Claims


def test_the_first_writes_and_others_are_told_where(tmp_path: Path) -> None:
    first, second = Claims(tmp_path, "run"), Claims(tmp_path, "run")
    assert first.claim("ab12") == ("findings/ab12", True)
    assert second.claim("ab12") == ("findings/ab12", False)
    assert first.claim("ab12") == ("findings/ab12", False)
    assert second.claim("cd34") == ("findings/cd34", True)


def test_findings_of_an_earlier_run_stay(tmp_path: Path) -> None:
    (tmp_path / "findings" / "ab12").mkdir(parents=True)
    assert Claims(tmp_path, "later").claim("ab12") == ("findings/ab12-2", True)
    (tmp_path / "findings" / "ab12-2").mkdir()
    assert Claims(tmp_path, "last").claim("ab12") == ("findings/ab12-3", True)


def test_one_of_several_processes_writes(tmp_path: Path) -> None:
    with get_context("spawn").Pool(3) as pool:
        told = pool.map(_claimed, [str(tmp_path)] * 3, chunksize=1)
    assert sum(each.count(True) for each in told) == 40
    assert {len(each) for each in told} == {40}


def test_nothing_of_the_claims_is_left(tmp_path: Path) -> None:
    claims = Claims(tmp_path, "run")
    claims.claim("ab12")
    claims.close()
    assert not list(tmp_path.iterdir())
    claims.close()


def _claimed(out: str) -> list[bool]:
    claims = Claims(Path(out), "run")
    return [claims.claim(str(number))[1] for number in range(40)]
