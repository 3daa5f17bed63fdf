"""Which fusions were really taken: names out of plans, and a campaign's count of them."""

import sqlite3
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from harness.campaign.judge import Task, judge
from harness.campaign.plan import Plan
from harness.campaign.store import Store
from harness.coverage import SAMPLED, counted, fusion_names, fusions_of, taken
from harness.outcome import FusedOp, Refused
from tests.harness.benches import bench_of, padded


def chain(*operators: str) -> onnx.ModelProto:
    """One operator behind the other; a node is named by its place."""
    names = [f"t{place}" for place in range(len(operators) + 1)]
    nodes = [
        helper.make_node(op, [names[place]], [names[place + 1]], str(place))
        for place, op in enumerate(operators)
    ]
    ends = [
        helper.make_tensor_value_info(each, TensorProto.FLOAT, [1])
        for each in (names[0], names[-1])
    ]
    return helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:]))


def step(kind: str, *nodes: str) -> FusedOp:
    return FusedOp(kind, "", nodes, (), ())


@pytest.mark.parametrize(
    ("plan", "names"),
    [
        ((step("Conv8", "0", "1"),), ("Conv8 <- Conv Relu",)),
        ((step("Conv8", "1", "0", "gone"),), ("Conv8 <- Conv Relu",)),
        ((step("Relu", "1", "2"),), ("Relu <- Relu",)),
        ((step("Clip", "1"),), ("Clip <- Relu",)),
        ((step("Conv", "0"), step("Relu", "1")), ()),
        ((step("Reorder"), step("Reorder", "gone")), ()),
        ((step("B", "1"), step("A", "0"), step("A", "0")), ("A <- Conv", "B <- Relu")),
    ],
)
def test_a_fusion_is_what_is_not_one_node_as_it_is(
    plan: tuple[FusedOp, ...], names: tuple[str, ...]
) -> None:
    assert fusion_names(chain("Conv", "Relu", "Relu"), plan) == names


def test_backends_tell_what_they_fused() -> None:
    with bench_of("engine", "ort", "engine:fusion=off", "tests.fakes:perfect") as bench:
        fused, ort, plain, function = (
            fusions_of(bench, spec, padded()) for spec in bench.specs
        )
        outcomes = bench.run_all([padded()])[0]
        sampled = taken(bench, 0, padded(), outcomes)
        assert not taken(bench, 1, padded(), outcomes)
        refused = dict.fromkeys(outcomes, Refused("no", documented=False))
        assert not taken(bench, 0, padded(), refused)
    assert fused == ("QConv <- DequantizeLinear Conv QuantizeLinear",)
    assert ort == ("QLinearConv <- DequantizeLinear Conv QuantizeLinear",)
    assert (plain, function) == ((), ())
    assert sampled == {"engine": fused, "ort": ort}


def test_a_campaign_counts_them_in_its_database(tmp_path: Path) -> None:
    plan = Plan(seed=1, family="conv", scales="any", out=str(tmp_path))
    path = tmp_path / "run.sqlite"
    with bench_of("engine") as bench:
        judged = judge(bench, plan, Task(range(3 * SAMPLED)), deep=False)
    rows = [row for row in judged.rows if row.fusions]
    assert {row.number % SAMPLED for row in rows} == {0}
    store = Store(path)
    store.judged(judged)
    store._database.execute("commit")
    store.close()
    found = sqlite3.connect(path).execute("select backend, name, cases, first from fusions")
    totals = counted(row.fusions for row in rows)
    for backend, name, cases, first in found.fetchall():
        assert totals[backend].pop(name) == cases
        assert first == next(r.number for r in rows if name in r.fusions[backend])
    assert totals == {"engine": {}}
