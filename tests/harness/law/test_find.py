"""Known laws are found again, from neighbours alone, and mean the same everywhere."""

import time
from collections.abc import Callable
from random import Random

import pytest

from generators.operators.conv import ConvSpec, parameters
from harness.law import Law, find_law
from harness.law.atoms import Parameters
from harness.law.neighbours import Neighbourhood

Predicate = Callable[[Parameters], bool]

CLOBBER = ConvSpec(groups=2, out_per_group=9, x_dtype="int8", w_dtype="int8")
PADDED = ConvSpec(image=(2, 2), kernel=(2, 2), pads=(1, 0, 0, 0), x_zero_point=3)
DEPTHWISE = ConvSpec(groups=2, image=(2, 2), pads=(1, 1, 1, 1))
RELU = ConvSpec(form="QDQ", activation="Relu", y_zero_point=5)

KNOWN: dict[str, tuple[ConvSpec, Predicate]] = {
    "groups > 1 and M/groups > 8 and M/groups % 8 != 0": (
        CLOBBER,
        lambda p: (
            int(p["groups"]) > 1 and int(p["M/groups"]) > 8 and int(p["M/groups"]) % 8 != 0
        ),
    ),
    "pads > 0 and x zero point != 0": (
        PADDED,
        lambda p: int(p["pads"]) > 0 and p["x zero point"] != 0,
    ),
    "x dtype == uint8 and w dtype == int8": (
        ConvSpec(x_dtype="uint8", w_dtype="int8"),
        lambda p: p["x dtype"] == "uint8" and p["w dtype"] == "int8",
    ),
    "groups > 1 and per-channel": (
        ConvSpec(groups=2, w_scales=(1.0, 2.0)),
        lambda p: int(p["groups"]) > 1 and bool(p["per-channel"]),
    ),
    "groups > 1 and depthwise and pads > 0": (
        DEPTHWISE,
        lambda p: (
            int(p["groups"]) > 1 and p["M/groups"] == p["C/groups"] == 1 and int(p["pads"]) > 0
        ),
    ),
    "activation == Relu and y zero point != 0": (
        RELU,
        lambda p: p["activation"] == "Relu" and p["y zero point"] != 0,
    ),
    "kernel > 2": (ConvSpec(kernel=(3, 3), image=(3, 3)), lambda p: int(p["kernel"]) > 2),
}


def on_parameters(predicate: Predicate) -> Callable[[ConvSpec], bool]:
    return lambda spec: predicate(parameters(spec))


def truth_table(law: Law, start: ConvSpec, predicate: Predicate) -> list[ConvSpec]:
    """Specs all around ``start`` on which the law and the predicate differ."""
    near = Neighbourhood(start, Random(99))
    grid = [start, *(near.many_changes() for _ in range(1_500))]
    rows = [(spec, parameters(spec)) for spec in grid]
    return [
        spec for spec, row in rows if predicate(row) != all(a.holds(row) for a in law.atoms)
    ]


@pytest.mark.parametrize("text", KNOWN)
@pytest.mark.parametrize("seed", [0, 1])
def test_known_laws(text: str, seed: int) -> None:
    start, predicate = KNOWN[text]
    began = time.monotonic()
    law = find_law(start, on_parameters(predicate), seed=seed)
    assert time.monotonic() - began < 4
    assert law.text == text
    assert not truth_table(law, start, predicate)
    assert law.exact
    assert not law.counterexamples
    assert min(law.failing, law.passing) > 50


@pytest.mark.parametrize(("share", "start"), [(0.8, CLOBBER), (0.6, PADDED)])
def test_a_bug_that_only_some_data_show(share: float, start: ConvSpec) -> None:
    text, predicate = next((t, p) for t, (s, p) in KNOWN.items() if s is start)
    luck = Random(4)
    law = find_law(
        start,
        lambda spec: predicate(parameters(spec)) and luck.random() < share,
        seed=3,
        budget_s=20,
    )
    assert law.text == text
    assert law.called_failing == law.failing
    assert law.called_passing < law.passing
    assert {bool(each["fails"]) for each in law.counterexamples} == {False}


def test_of_two_bugs_the_law_is_that_of_the_case_itself() -> None:
    text = "groups > 1 and M/groups > 8 and M/groups % 8 != 0"
    _, predicate = KNOWN[text]

    def fails(spec: ConvSpec) -> bool:
        row = parameters(spec)
        return predicate(row) or (row["stride"] == 2 and bool(row["x zero point"]))

    law = find_law(CLOBBER, fails, seed=0, budget_s=20)
    assert law.text == text
    assert law.called_failing < law.failing
    assert {bool(each["fails"]) for each in law.counterexamples} == {True}


def test_neighbours_that_say_nothing_are_left_out() -> None:
    def fails(spec: ConvSpec) -> bool | None:
        if spec.w_dtype != "int8" or any(spec.w_zero_points):
            return None
        return spec.groups > 1

    law = find_law(CLOBBER, fails, seed=0)
    assert law.text == "groups > 1"
    assert law.exact


def test_what_no_conjunction_says_is_given_with_its_mistakes() -> None:
    def fails(spec: ConvSpec) -> bool:
        return spec.groups > 1 and (max(spec.kernel) > 1) != (spec.out_per_group > 4)

    law = find_law(CLOBBER, fails, seed=0, budget_s=1)
    assert not law.exact
    assert law.counterexamples
    row = parameters(CLOBBER)
    assert all(atom.holds(row) for atom in law.atoms)


def test_everything_fails_or_nothing_does() -> None:
    assert find_law(CLOBBER, lambda _: True, seed=0).text == "always"
    nothing = find_law(CLOBBER, lambda _: False, seed=0)
    assert (nothing.text, nothing.failing, nothing.called_passing) == ("", 0, nothing.passing)


def test_failures_too_rare_for_any_predicate_give_none() -> None:
    luck = Random(1)
    law = find_law(CLOBBER, lambda _: luck.random() < 0.01, seed=0)
    assert law.text == ""
    assert law.failing > 0
    assert law.called_failing == 0
    assert law.called_passing == law.passing


def test_a_draw_that_says_nothing_leaves_the_word_to_the_others() -> None:
    def fails(spec: ConvSpec) -> bool | None:
        return None if spec.x_kind == "extremes" else spec.groups > 1

    assert find_law(CLOBBER, fails, seed=0).text == "groups > 1"
    silent = find_law(CLOBBER, lambda _: None, seed=0)
    assert (silent.text, silent.passing) == ("", 1)


def test_a_seed_gives_the_same_law_again() -> None:
    start, predicate = KNOWN["kernel > 2"]
    assert len({find_law(start, on_parameters(predicate), seed=5) for _ in range(2)}) == 1


def test_the_budget_is_kept() -> None:
    def slow(spec: ConvSpec) -> bool:
        time.sleep(0.01)
        return spec.groups > 1

    began = time.monotonic()
    find_law(CLOBBER, slow, seed=0, budget_s=0.3)
    assert time.monotonic() - began < 1


def test_neighbours_come_with_fresh_data() -> None:
    seen: set[tuple[str, int]] = set()

    def fails(spec: ConvSpec) -> bool:
        assert spec.x is None
        assert spec.w is None
        seen.add((spec.x_kind, spec.x_seed))
        return spec.groups > 1

    find_law(CLOBBER, fails, seed=0, budget_s=0.5)
    assert {kind for kind, _ in seen} == {"random", "extremes"}
    assert len(seen) > 300
