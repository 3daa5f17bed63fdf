"""Every pattern is drawn, is right in our engine with fusion and without, and is what it is called."""

from collections import Counter

import numpy as np
import pytest

from engine import Session
from generators.choices import RandomChoices
from generators.graphs import draw_case
from generators.operators.patterns import ALL_CELLS, PATTERNS, patterns
from generators.operators.patterns.drawing import RELATIONS, Pattern
from generators.qparams import POLICIES
from harness.oracle import Oracle, is_outside


@pytest.mark.parametrize("policy", POLICIES)
def test_our_engine_is_right(policy: str) -> None:
    for seed in range(80):
        case = patterns(RandomChoices(seed), policy)
        allowed = Oracle(case.proto()).allowed(case.inputs)
        for fusion in ("on", "off"):
            found = Session(case.model, fusion=fusion).run(case.inputs)
            for name, right in allowed.items():
                assert found[name].shape == right.low.shape
                assert not is_outside(right, found[name]).any(), (seed, fusion)


def test_two_fifths_of_the_family_are_patterns_and_a_tenth_chains() -> None:
    firsts = Counter(
        "pattern" if any(each.startswith("pattern") for each in cells) else cells[0].split()[0]
        for cells in (draw_case("graphs", "any", seed).cells for seed in range(400))
    )
    assert 157 <= firsts["pattern"] <= 163
    assert 38 <= firsts["chain"] <= 42


def test_all_patterns_are_drawn() -> None:
    hits: Counter[str] = Counter()
    for seed in range(600):
        hits.update(patterns(RandomChoices(seed), "any").cells)
    assert set(hits) == set(ALL_CELLS)
    assert all(hits[f"pattern {name}"] > 20 for name in PATTERNS)


def test_related_parameters_differ_as_they_say() -> None:
    said: Counter[str] = Counter()
    for seed in range(400):
        pattern = Pattern(RandomChoices(seed), "any", "one pair")
        a, b = pattern.related(pattern.parameters())
        (relation,) = [each for each in pattern.cells if not each.startswith("pattern")]
        said[relation] += 1
        differs = {
            "scale": a.scale != b.scale,
            "zero point": a.zero_point != b.zero_point,
            "type": a.dtype != b.dtype,
        }
        if relation == "pairs that are equal":
            assert not any(differs.values())
        elif "type" in relation:
            assert differs["type"]
            assert not differs["scale"]
        elif "zero point" in relation:
            assert differs == {"scale": False, "zero point": True, "type": False}
        else:
            assert differs == {"scale": True, "zero point": False, "type": False}
            assert np.float32(a.scale) == a.scale
            assert np.float32(b.scale) == b.scale
    assert len(said) == len(RELATIONS)
