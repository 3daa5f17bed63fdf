"""Which case a number stands for: the same anywhere, now and then a partner, all of it counted."""

from generators.like import mine
from harness.campaign.plan import PARTNERS_ONE_IN, Plan
from tests.generators.like.nets import residual

CASES = 960


def test_one_case_in_32_gives_way_to_a_partner() -> None:
    plan = Plan(seed=3, family="conv", scales="any", out="")
    cases = [plan.case(number) for number in range(CASES)]
    partners = [each for each in cases if each.cells[0].startswith("partner ")]
    expected = CASES / PARTNERS_ONE_IN
    assert expected / 2 < len(partners) < expected * 1.5
    assert len({each.cells for each in partners}) > 5
    assert {cell for each in partners for cell in each.cells} <= set(plan.cells())
    assert plan.case(CASES // 2).digest == cases[CASES // 2].digest


def test_all_families_reach_every_kind_of_partner_and_movement_few() -> None:
    kinds = {
        family: sum(
            each.startswith("partner ")
            for each in Plan(seed=1, family=family, scales="any", out="").cells()
        )
        for family in ("all", "movement")
    }
    assert kinds == {"all": 12, "movement": 2}


def test_partners_of_cases_like_a_model_count_for_its_patterns() -> None:
    plan = Plan(1, "like", "any", "", parts=mine(residual()).parts)
    cases = [plan.case(number) for number in range(CASES // 4)]
    partners = [each for each in cases if ": like " in each.origin]
    assert partners
    assert {cell for each in cases for cell in each.cells} <= set(plan.cells())
