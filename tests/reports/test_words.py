"""The sentences about a finding."""

from dataclasses import replace

import pytest

from corpus.finding import LawCounts, Match, Steps
from reports import words
from tests.reports import samples


@pytest.mark.parametrize(
    ("kind", "message", "steps", "sentence"),
    [
        ("divergent", "", Steps(255, 58, 100), "58 % of elements wrong, up to 255 steps"),
        ("divergent", "", Steps(1, 96, 96), "all elements wrong, up to 1 step"),
        (
            "rounding-mode",
            "",
            Steps(1, 1, 1000),
            "< 1 % of elements rounded to the wrong side of an exact tie",
        ),
        ("nonfinite", "", Steps(float("inf"), 1, 4), "NaN or infinity in 25 % of elements"),
        (
            "nondeterministic",
            "",
            Steps(2, 1, 4),
            "two runs of one case differ in 25 % of elements",
        ),
        (
            "refused",
            "Error: no\nkernel",
            Steps(0, 0, 0),
            "refuses a valid model: Error: no\\nkernel",
        ),
        ("crashed", "signal SIGSEGV", Steps(0, 0, 0), "crashes: signal SIGSEGV"),
        ("timed-out", "10 s", Steps(0, 0, 0), "gives no answer: 10 s"),
        (
            "wrong-type-or-shape",
            "float32[1]",
            Steps(0, 0, 0),
            "the output has the wrong type or shape: float32[1]",
        ),
    ],
)
def test_headlines(kind: str, message: str, steps: Steps, sentence: str) -> None:
    finding = replace(samples.finding(), kind=kind, message=message, steps=steps)
    assert words.headline(finding) == sentence


@pytest.mark.parametrize(
    ("fused_as", "nodes", "sentence"),
    [
        ("Conv2Int8", ("c1",), 'Conv2Int8 <- QLinearConv "c1"'),
        ("", ("c1",), 'QLinearConv "c1"'),
        ("QLinearConv", ("c1", "r"), 'QLinearConv "c1", "r"'),
        ("X", ("a", "b", "c", "d", "e"), 'X <- QLinearConv "a", "b", "c" and 2 more'),
        ("X", (), "X <- QLinearConv"),
    ],
)
def test_culprits(fused_as: str, nodes: tuple[str, ...], sentence: str) -> None:
    assert (
        words.culprit(replace(samples.finding(), fused_as=fused_as, nodes=nodes)) == sentence
    )


def test_a_partial_match_says_how_much() -> None:
    score = words.match_score(Match("F1", "t", 380, 384))
    assert score == "wrong values reproduced, 380 of 384 values in all"
    assert words.match_score(Match("F1", "t", 384, 384)) == "every wrong value reproduced"
    assert words.match_score(Match("F1", "t", 0, 0)) == "the refusal, or the shape, reproduced"


@pytest.mark.parametrize(
    ("value", "off"),
    [(3.0, 0.0), (5.0, 0.0), (2.0, -1.0), (9.0, 4.0), (float("inf"), float("inf"))],
)
def test_excess_is_signed_and_zero_inside(value: float, off: float) -> None:
    assert words.excess(value, 3.0, 5.0) == off


@pytest.mark.parametrize(
    ("index", "shape", "text"), [(0, (), "0"), (5, (6,), "5"), (23, (1, 2, 3, 4), "0,1,2,3")]
)
def test_positions(index: int, shape: tuple[int, ...], text: str) -> None:
    assert words.position(index, shape) == text


def test_the_own_sample_is_found_by_name_then_by_spec() -> None:
    finding, evidence = samples.finding(), samples.evidence()
    own = words.actual(finding, evidence)
    assert own is not None
    assert own.backend == "opencv"
    by_spec = tuple(replace(s, backend=f"{s.backend}:level=off") for s in evidence.samples)
    own = words.actual(finding, replace(evidence, samples=by_spec))
    assert own is not None
    assert own.backend == "opencv:level=off"
    assert words.actual(finding, replace(evidence, samples=())) is None


def test_parameters_on_one_line() -> None:
    line = words.parameters({"groups": 2, "per-channel": True, "bias": "none", "scale": 0.5})
    assert line == "groups = 2, per-channel = yes, bias = none, scale = 0.5"


def test_a_law_with_exceptions_is_not_called_exact() -> None:
    finding = samples.finding()
    assert words.fails_when(finding) == "fails when"
    for counts in (LawCounts(411, 412, 388, 388), LawCounts(412, 412, 387, 388)):
        assert words.fails_when(replace(finding, law_counts=counts)) == "mostly fails when"
