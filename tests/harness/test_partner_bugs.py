"""A backend whose answers to partners do not fit, where nobody else can judge: one finding, kept whole."""

import pytest

from harness.backends.spec import parse
from harness.bench import Bench
from harness.campaign.journal import Past, Pending
from harness.campaign.judge import Task, judge
from harness.campaign.plan import Plan
from harness.campaign.suspicions import Knowledge, bug_of
from harness.events import BatchJudged, Event, FindingSaved, FindingSeen
from harness.investigate import Dossier, investigate, shrink
from harness.partner_bugs import every_suspect
from harness.partners import bound_pairs, disagreement
from harness.run import Campaign
from harness.same import shows_bug
from tests.harness.benches import bench_of
from tests.harness.denormals import Products, product

PRODUCT = "QLinearMatMul"
FLAWED = "tests.fakes:flushes_denormals_at_the_end"
PLAN = Products(seed=1, family="matmul", scales="any", out="", cases=12)


def keep(dossier: Dossier) -> FindingSaved:
    return FindingSaved(dossier.finding, dossier.evidence, f"findings/{dossier.finding.id}")


def events(bench: Bench, past: Past) -> list[Event]:
    return list(Campaign(bench, PLAN, keep, past=past).events())


def test_a_campaign_makes_one_finding_of_one_flaw() -> None:
    with bench_of(FLAWED) as bench:
        told = events(bench, Past())
    (saved,) = (each for each in told if isinstance(each, FindingSaved))
    finding = saved.finding
    assert (finding.kind, finding.op) == ("divergent", PRODUCT)
    assert finding.signature.endswith("| differs from its partner: other filters")
    assert finding.pattern.startswith("differs from its partner: ")
    assert finding.is_by_partner
    assert finding.size.nodes == 1
    assert finding.size.bytes < 300
    assert [each.seen for each in told if isinstance(each, FindingSeen)][-1] == 12
    batches = [each for each in told if isinstance(each, BatchJudged)]
    assert sum(each.counts[FLAWED].divergent for each in batches) == 12
    assert sum(each.silent for each in batches) == 12
    (sample,) = saved.evidence.samples
    assert sample.verdict == "divergent"


def test_what_waits_from_an_earlier_session_is_looked_into() -> None:
    waiting = Pending(3, FLAWED, 0, "", "divergent")
    with bench_of(FLAWED) as bench:
        told = events(bench, Past(number=12, pending=(waiting,)))
    (finding,) = (each.finding for each in told if isinstance(each, FindingSaved))
    assert finding.is_by_partner


def test_a_known_bug_is_met_and_not_looked_into() -> None:
    number = 3
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
    number = 3
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
        for number in range(8):
            case = PLAN.case(number)
            outcome = bench.run(case, spec)
            for pair in bound_pairs(case):
                count += 1
                again = bench.run(pair.partner, spec)
                assert disagreement(pair, spec, outcome, again) is None, pair.partner.origin
    assert count > 50


def test_campaigns_draw_such_cases() -> None:
    plan = Plan(seed=1, family="matmul", scales="any", out="")
    drawn = (plan.case(number) for number in range(3000))
    products = (
        each for each in drawn if [n.op_type for n in each.proto().graph.node] == [PRODUCT]
    )
    assert any(list(bound_pairs(each)) for each in products)


def test_a_fault_that_gives_both_answers_is_the_bug_it_is_elsewhere() -> None:
    name = "engine:fault=F79a.matmul"
    spec = parse(name)
    cases = [product(number, largest=127) for number in range(6)]
    with bench_of(name) as bench:
        found = [every_suspect(bench, spec, each, bench.run(each, spec)) for each in cases]
        suspects = [suspect for each in found for suspect in each]
        assert len(suspects) > 2
        assert {each.signature.cause for each in suspects} == {"F79a"}
        first, *others = suspects
        assert first.signature.text == "engine | divergent | F79a"
        outcomes = [bench.run(each.case, spec) for each in others]
        assert all(
            shows_bug(bench, bug_of(first), each.case, outcome)
            for each, outcome in zip(others, outcomes, strict=True)
        )
        small = shrink(bench, first)
        dossier = investigate(bench, small, seed=1)
    assert len(small.case.model) <= len(first.case.model)
    assert dossier.partner is not None
    assert dossier.finding.diagnosis[0].fault == "F79a"
    assert dossier.finding.is_by_partner
