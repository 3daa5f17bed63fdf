"""A campaign over cases of which the standard says nothing: no verdict, but who agrees with whom."""

import sqlite3
from pathlib import Path

import numpy as np
from onnx import numpy_helper

from corpus.case import Case
from generators.graphs import draw_case
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.bench import set_up, with_variants
from harness.campaign.judge import JudgedTask, Task, judge
from harness.campaign.plan import Plan
from harness.campaign.store import Store
from harness.events import BatchJudged, CampaignFinished, CampaignStarted
from reports import closing, summary
from reports.model import replay


class Denormal(Plan):
    """Convolutions whose scale of x, where they have one, is a denormal number."""

    def case(self, number: int) -> Case:
        case = draw_case(self.family, self.scales, number)
        model = case.proto()
        for each in model.graph.initializer:
            if each.name == "xs":
                each.CopyFrom(numpy_helper.from_array(np.array(1e-40, np.float32), "xs"))
        return case.with_model(model)


def judged() -> JudgedTask:
    plan = Denormal(seed=1, family="conv", scales="any", out="", cases=12)
    with Pool() as pool:
        bench = set_up(pool, with_variants([parse("engine"), parse("tests.fakes:nan")]))
        return judge(bench, plan, Task(range(12)), deep=False)


def test_silence_is_no_verdict_but_parties_are_kept(tmp_path: Path) -> None:
    found = judged()
    silent = [row for row in found.rows if row.silent]
    assert len(silent) >= 8
    assert all("normal float32" in row.silent and not row.words for row in silent)
    assert all(len(row.parties) == 2 for row in silent)
    assert not any(row.parties for row in found.rows if not row.silent)

    path = tmp_path / "run.sqlite"
    store = Store(path)
    store.judged(found)
    store.handle(BatchJudged(cases=12, comparisons=0, seconds=1.0))
    store.close()
    with sqlite3.connect(path) as database:
        kept = dict(database.execute("select number, parties from silent"))
    assert set(kept) == {row.number for row in silent}
    assert set(kept.values()) == {"engine, engine:fusion=off / tests.fakes:nan"}


def test_what_is_silent_is_said_at_the_end() -> None:
    started = CampaignStarted("0.1", 1, "conv", "any", (), "out")
    batch = BatchJudged(cases=60, comparisons=0, seconds=1.0, silent=41, parted=3)
    report = replay((started, batch, CampaignFinished(1.0)))
    line = "  the standard says nothing of 41 cases; backends differ on 3 of them"
    assert closing.silent_line(report) == line
    assert summary.summary(report)["silent"] == {"cases": 41, "parted": 3}
    assert closing.silent_line(replay((started, CampaignFinished(1.0)))) == ""
