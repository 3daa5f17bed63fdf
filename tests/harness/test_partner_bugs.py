"""A backend whose answers to partners do not fit, where nobody else can judge: one finding, kept whole."""

import pytest

from harness.backends.spec import parse
from harness.bench import Bench
from harness.campaign.journal import Past, Pending
from harness.campaign.judge import Knowledge, Task, bug_of, judge
from harness.campaign.plan import Plan
from harness.events import BatchJudged, CampaignStarted, Event, FindingSaved, FindingSeen
from harness.investigate import Dossier
from harness.partner_bugs import every_suspect
from harness.partners import bound_pairs, disagreement
from harness.run import Campaign
from tests.harness.benches import bench_of

FLAWED = "tests.fakes:flushes_denormals_at_the_end"
PLAN = Plan(seed=1, family="matmul", scales="any", out="", cases=310)
SILENT = (74, 123, 206, 294)  # numbers of cases with a denormal scale and a partner that binds


def keep(dossier: Dossier) -> FindingSaved:
    return FindingSaved(dossier.finding, dossier.evidence, f"findings/{dossier.finding.id}")


def events(bench: Bench, past: Past) -> list[Event]:
    return list(Campaign(bench, PLAN, keep, past=past).events())


def test_a_campaign_makes_one_finding_of_one_flaw() -> None:
    with bench_of(FLAWED) as bench:
        told = events(bench, Past(number=200))
    (saved,) = (each for each in told if isinstance(each, FindingSaved))
    finding = saved.finding
    assert (finding.kind, finding.op) == ("divergent", "QLinearMatMul")
    assert finding.signature.endswith("| differs from its partner: other filters")
    assert finding.pattern.startswith("differs from its partner: ")
    assert finding.is_by_partner
    assert finding.size.nodes == 1
    assert finding.size.bytes < 300
    assert [each.seen for each in told if isinstance(each, FindingSeen)] == [2]
    assert sum(e.counts[FLAWED].divergent for e in told if isinstance(e, BatchJudged)) == 2
    (sample,) = saved.evidence.samples
    assert sample.verdict == "divergent"
    assert isinstance(told[0], CampaignStarted)
    assert not set(PLAN.case(SILENT[0]).cells) - set(told[0].cells)


def test_what_waits_from_an_earlier_session_is_looked_into() -> None:
    waiting = Pending(SILENT[0], FLAWED, 0, "", "divergent")
    with bench_of(FLAWED) as bench:
        told = events(bench, Past(number=310, pending=(waiting,)))
    (finding,) = (each.finding for each in told if isinstance(each, FindingSaved))
    assert finding.is_by_partner


def test_a_known_bug_is_met_and_not_looked_into() -> None:
    number = SILENT[0]
    with bench_of(FLAWED) as bench:
        spec, case = parse(FLAWED), PLAN.case(number)
        (suspect,) = every_suspect(bench, spec, case, bench.run(case, spec))
        known = Knowledge(bugs=(bug_of(suspect),))
        judged = judge(bench, PLAN, Task(range(number, number + 1), known), deep=True)
    assert judged.seen == {suspect.signature.id: 1}
    assert not judged.suspicions
    assert judged.rows[0].words == {FLAWED: "divergent"}
    assert judged.rows[0].silent


def test_an_answer_that_changes_from_run_to_run_is_no_matter_of_partners() -> None:
    number = SILENT[0]
    name = "tests.fakes:random"
    with bench_of(name) as bench:
        judged = judge(bench, PLAN, Task(range(number, number + 1)), deep=True)
        spec, case = parse(name), PLAN.case(number)
        suspects = every_suspect(bench, spec, case, bench.run(case, spec))
    assert judged.rows[0].words == {name: "nondeterministic"}
    assert [each.signature.kind for each in suspects] == ["nondeterministic"]


@pytest.mark.parametrize("name", ["engine", "engine:fusion=off", "ort"])
def test_right_engines_agree_with_themselves(name: str) -> None:
    if name == "ort":
        pytest.importorskip("onnxruntime")
    spec = parse(name)
    with bench_of(name) as bench:
        count = 0
        for number in SILENT:
            case = PLAN.case(number)
            outcome = bench.run(case, spec)
            for pair in bound_pairs(case):
                count += 1
                again = bench.run(pair.partner, spec)
                assert disagreement(pair, spec, outcome, again) is None, pair.partner.origin
    assert count > 20
