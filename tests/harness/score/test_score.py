"""The score tells apart what was found, what was blamed, what was named; decoys stay quiet."""

from collections.abc import Callable

import pytest

from corpus.case import Case
from corpus.finding import Match
from engine import Plan
from engine.faults import DECOYS, Decoy, Fault, find
from generators.graphs import draw_case
from harness.cli.score_words import line
from harness.score import score as scoring
from harness.score.alike import are_alike
from harness.score.decoys import Lured, lure
from harness.score.hunt import Caught, hunt
from harness.score.score import Score, Scored, look_into, score
from tests.harness.benches import bench_of, grouped, padded


def draw(number: int) -> Case:
    return draw_case("all", "any", number)


def only(case: Case) -> Callable[[int], Case]:
    return lambda number: case


def test_a_fault_is_caught_on_the_first_case_that_shows_it() -> None:
    shows = [padded(), grouped(out_per_group=8), grouped()]
    (caught,) = hunt([find("F01")], shows.__getitem__, 3)
    assert (caught.fault.key, caught.cases, caught.places) == ("F01", 3, ("c1",))
    assert list(hunt([find("F01")], shows.__getitem__, 2)) == []


def test_what_is_found_is_located_and_named() -> None:
    told: list[Scored | Lured] = []
    faults = [find(key) for key in ("F01", "F25.matmul", "F80")]
    with bench_of("engine") as bench:
        soon = 5 << 32  # from here on all three show soon
        found = score(bench, faults, (), lambda n: draw(soon + n), 200, told.append)
    assert [each.fault for each in found.faults] == faults
    assert {(each.located, each.diagnosed) for each in found.faults} == {("right", "right")}
    assert (found.detected, found.located, found.diagnosed, found.flagged) == (3, 3, 3, 0)
    assert set(told) == set(found.faults)
    assert all(each.nodes and each.named and each.seconds > 0 for each in found.faults)


def test_a_fault_of_kernels_that_ours_fuse_away_is_found_without_fusion() -> None:
    told: list[Scored | Lured] = []
    with bench_of("engine") as bench:
        score(bench, [find("F163"), find("F01")], (), draw, 100, told.append)
    found = {each.fault.key: each for each in told if isinstance(each, Scored)}
    assert (found["F163"].fusion, found["F01"].fusion) == ("off", "on")
    assert {(each.located, each.diagnosed) for each in found.values()} == {("right", "right")}
    assert "unfused  located right  diagnosed right (F163)" in line(found["F163"])


def test_a_fault_that_never_shows_is_missed() -> None:
    with bench_of("engine") as bench:
        found = score(bench, [find("F60")], (), only(grouped()), 2, lambda _: None)
    (missed,) = found.faults
    assert (missed.cases, missed.located, missed.diagnosed) == (None, "none", "none")
    assert (found.detected, found.located, found.diagnosed) == (0, 0, 0)


def test_an_innocent_operation_is_a_wrong_place() -> None:
    caught = Caught(find("F25"), padded(), 1, ("another",))
    with bench_of("engine") as bench:
        assert look_into(bench, caught, draw, 10).located == "wrong"
        right = Caught(find("F80"), padded(), 1, ("c1",))
        nothing = look_into(bench, right, draw, 10)
    assert (nothing.located, nothing.diagnosed) == ("none", "none")


@pytest.mark.parametrize(
    ("alike", "named", "expected"),
    [
        (True, ("F25", "F26"), "class"),
        (False, ("F25", "F26"), "ambiguous"),
        (False, ("F25",), "wrong"),
        (False, ("F26", "F25"), "right"),
        (False, (), "none"),
    ],
)
def test_words_for_a_diagnosis(
    monkeypatch: pytest.MonkeyPatch, alike: bool, named: tuple[str, ...], expected: str
) -> None:
    monkeypatch.setattr(scoring, "are_alike", lambda *_: alike)
    matches = [Match(each, find(each).title, 1, 1) for each in named]
    assert scoring._diagnosed(find("F26"), matches, draw, 10) == expected


def test_the_same_values_everywhere_make_one_class() -> None:
    assert are_alike(find("F25"), find("F25"), draw, 300)
    assert not are_alike(find("F25"), find("F25.border"), draw, 300)
    assert not are_alike(find("F01"), find("F60"), only(padded()), 3)


def test_no_decoy_is_flagged() -> None:
    by_family = {"conv": 900, "blockwise": 200, "elementwise": 500, "graphs": 400, "pool": 200}
    drawn = [(family, n) for family, count in by_family.items() for n in range(count)]

    def each_family(number: int) -> Case:
        return draw_case(drawn[number][0], "any", drawn[number][1])

    found = list(lure(DECOYS, each_family, len(drawn)))
    assert [each.decoy for each in found] == list(DECOYS)
    assert not any(each.flagged for each in found)
    assert all(each.cases > 0 for each in found)


def test_a_decoy_that_is_a_fault_is_flagged() -> None:
    def happens(plan: Plan) -> bool:
        return bool(find("F25").places(plan))

    (lured,) = lure([Decoy("D", "no decoy", happens, find("F25"))], draw, 60)
    assert lured.flagged > 0
    assert Score((), (lured,)).flagged == 1


def test_changes_of_decoys_are_no_faults() -> None:
    changes = [each.change for each in DECOYS if each.change is not None]
    assert all(isinstance(each, Fault) and find(each.key) is each for each in changes)
    assert all(each.key == each.change.key for each in DECOYS if each.change is not None)
