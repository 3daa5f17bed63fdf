"""An engine held to an instruction set runs in a process of its own, and says which it has."""

from pathlib import Path

import pytest

from corpus.case import Case
from harness.backends.catalogue import find
from harness.backends.spec import parse
from harness.errors import BadInput
from harness.isa import sweep
from harness.outcome import Values
from tests.harness.benches import bench_of, grouped, padded


def of_opencv() -> Case:
    pytest.importorskip("cv2")
    return grouped(out_per_group=9)


def environment(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_text().split("\0")


def test_the_process_gets_the_environment_of_its_level() -> None:
    case = of_opencv()
    with bench_of("opencv") as bench:
        assert isinstance(bench.run(case, parse("opencv:isa=sse41")), Values)
        pids = bench.pool.pids()
        assert {key[2] for key in pids} == {"", "sse41"}
        wanted = {f"{k}={v}" for k, v in find("opencv").isa["sse41"].items()}
        assert wanted <= set(environment(pids["opencv", "", "sse41"]))
        assert not wanted <= set(environment(pids["opencv", "", ""]))


def test_a_sweep_tells_the_verdict_on_every_level() -> None:
    case = of_opencv()
    with bench_of("opencv") as bench:
        found = sweep(bench, parse("opencv"), case)
        assert list(found) == list(find("opencv").isa)
        assert sweep(bench, parse("opencv:isa=sse41"), case) == {}
    with bench_of("engine") as bench:
        assert sweep(bench, parse("engine"), padded()) == {}


def test_a_level_that_is_unknown_is_bad_input() -> None:
    of_opencv()
    with bench_of("opencv") as bench:
        with pytest.raises(BadInput, match="isa=avx9 is not one of sse41, avx2"):
            bench.run(grouped(), parse("opencv:isa=avx9"))
        with pytest.raises(BadInput, match="no option 'isa'"):
            bench.run(grouped(), parse("engine:isa=avx2"))
