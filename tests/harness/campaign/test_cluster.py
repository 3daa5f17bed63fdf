"""A real Dask scheduler and its workers: the same findings, whoever is lost meanwhile."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from generators.like import mine
from harness.campaign.cluster import Cluster
from harness.campaign.crew import CrewLost, Feeder
from harness.campaign.plan import Plan
from harness.campaign.supply import Supply
from harness.campaign.versions import own_version
from harness.campaign.work import LawWanted
from harness.cli import run
from harness.errors import BadInput
from harness.suspect import Suspect
from reports.model import replay
from tests.generators.like.nets import residual
from tests.harness.benches import grouped
from tests.harness.campaign.clusters import Dask, dask
from tests.quality.campaigns import (
    ending,
    findings,
    finish,
    judged,
    kill,
    rows,
    start,
    wait_for_cases,
)

VERSIONS = {"quantdiff": own_version(), "engine": own_version()}
BUGS = ("-b", "engine:fault=F25", "-b", "engine:fault=F01", "-b", "engine", "--seed", "3")


def plan(cases: int) -> Plan:
    return Plan(1, "conv", "any", "", cases=cases, backends=("engine",))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    with dask(tmp_path_factory.mktemp("dask"), 1) as started:
        connect(started, plan(1)).close()
        yield started


def connect(started: Dask, judged: Plan, versions: dict[str, str] = VERSIONS) -> Cluster:
    """Join, as soon as the workers are there."""
    end = time.monotonic() + 60
    while True:
        try:
            return Cluster(started.address, judged, versions)
        except BadInput:
            assert time.monotonic() < end
            time.sleep(0.2)


def test_results_stream_back_in_order_and_a_bench_is_kept(cluster: Dask) -> None:
    judged = plan(60)
    with connect(cluster, judged) as crew, Feeder(crew, Supply(judged)) as feeder:
        numbers = [row.number for each in feeder.judged() for row in each.rows]
    assert numbers == list(range(60))


def test_cases_like_a_model_are_drawn_from_its_parts_there_too(cluster: Dask) -> None:
    parts = mine(residual()).parts
    like = Plan(1, "like", "any", "", cases=24, backends=("engine",), parts=parts)
    with connect(cluster, like) as crew, Feeder(crew, Supply(like)) as feeder:
        rows = [row for each in feeder.judged() for row in each.rows]
    assert [row.digest for row in rows] == [like.case(number).digest for number in range(24)]


def test_laws_are_looked_for_there_too(cluster: Dask) -> None:
    """One that fails by a fault of ours, here no suspect at all, comes back as that."""
    nobody: Suspect = None  # type: ignore[assignment]
    with connect(cluster, plan(1)) as crew, Feeder(crew, Supply(plan(1))) as feeder:
        feeder.want(LawWanted("1a2b", nobody, grouped()))
        found, end = feeder.wait_for_laws(), time.monotonic() + 60
        while not found and time.monotonic() < end:
            found = feeder.wait_for_laws()
    assert [each.id for each in found] == ["1a2b"]
    assert "AttributeError" in found[0].failure


def test_another_version_is_refused_in_one_line(cluster: Dask) -> None:
    judged = plan(10)
    with (
        connect(cluster, judged, {**VERSIONS, "engine": "7"}) as crew,
        Feeder(crew, Supply(judged)) as feeder,
        pytest.raises(BadInput, match=r"engine is 7 here, but .* on a worker") as told,
    ):
        list(feeder.judged())
    assert "\n" not in str(told.value)


def test_no_scheduler_is_one_line_and_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.campaign.cluster.CONNECT_SECONDS", 0.5)
    out = ["--out", str(tmp_path / "run")]
    assert run(["fuzz", "-b", "engine", "--cluster", "tcp://127.0.0.1:1", *out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no scheduler answers" in line
    assert not (tmp_path / "run").exists()


def test_a_scheduler_that_goes_away_is_said(cluster: Dask) -> None:
    """The last one of those that share the cluster: it ends it."""
    judged = plan(10_000)
    with (
        connect(cluster, judged) as crew,
        Feeder(crew, Supply(judged)) as feeder,
    ):
        results = feeder.judged()
        next(results)
        kill(cluster.scheduler.pid)
        with pytest.raises(CrewLost, match="is gone"):
            list(results)


@pytest.mark.slow
def test_two_workers_one_killed_find_what_two_jobs_find(tmp_path: Path) -> None:
    cases = ("--cases", "600")
    status, said = finish([*BUGS, *cases, "--jobs", "2", "--out", "jobs"], tmp_path)
    assert status == 1, said
    with dask(tmp_path, 2) as started:
        connect(started, plan(1)).close()
        there = ("--cluster", started.address, "--out", "cluster")
        process = start([*BUGS, *cases, *there], tmp_path)
        wait_for_cases(tmp_path / "cluster", 60)
        kill(started.workers[0].pid)
        status, said = ending(process)
    assert status == 1, said
    one, other = tmp_path / "jobs", tmp_path / "cluster"
    assert rows(other, "select count(*), count(distinct number) from cases") == [(600, 600)]
    assert judged(other) == judged(one)
    assert findings(other) == findings(one)
    laws = {each.finding.id: each.finding.law for each in replay(one).findings}
    assert laws == {each.finding.id: each.finding.law for each in replay(other).findings}
    assert all(laws.values())


@pytest.mark.slow
def test_a_run_whose_scheduler_was_lost_goes_on_here(tmp_path: Path) -> None:
    plan_of = [*BUGS, "--cases", "600"]
    with dask(tmp_path, 2) as started:
        connect(started, plan(1)).close()
        process = start([*plan_of, "--cluster", started.address, "--out", "run"], tmp_path)
        wait_for_cases(tmp_path / "run", 60)
        kill(started.scheduler.pid)
        status, said = ending(process)
    assert status == 3
    assert said.splitlines()[-1].endswith("is gone; everything is saved, see --resume")
    assert "Traceback" not in said
    status, said = finish(["--resume", "--jobs", "2", "--out", "run"], tmp_path)
    assert status == 1, said
    assert rows(tmp_path / "run", "select count(*) from cases") == [(600,)]
