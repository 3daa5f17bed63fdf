"""The class of a verdict follows from its kind and its best diagnosis."""

import pytest

from corpus.finding import Match
from engine.faults import CATALOGUE
from harness.signature import Signature
from harness.verdict_class import CLASSES, kind_of_bug, told_by, verdict_class


@pytest.mark.parametrize(
    ("kind", "fault", "expected"),
    [
        ("divergent", "", "wrong"),
        ("divergent", "F25", "wrong"),
        ("divergent", "F79a", "saturated accumulator"),
        ("divergent", "F77", "double rounding"),
        ("divergent", "F70", "rounding-mode"),
        ("rounding-mode", "", "rounding-mode"),
        ("rounding-mode", "F77", "double rounding"),
        ("refused", "", "refused"),
        ("nonfinite", "", "nonfinite"),
    ],
)
def test_words(kind: str, fault: str, expected: str) -> None:
    matches = [Match(fault, "words", 1, 1)] if fault else []
    assert verdict_class(kind, matches) == expected


def test_only_the_best_fault_counts() -> None:
    matches = [Match("F25", "words", 2, 2), Match("F79a", "words", 1, 2)]
    assert verdict_class("divergent", matches) == "wrong"


def test_no_fault_has_two_classes() -> None:
    members = [fault for each in CLASSES.values() for fault in each]
    assert len(members) == len(set(members))
    assert {"F70", "F75", "F76", "F79a"} <= {each.id for each in CATALOGUE} & set(members)


@pytest.mark.parametrize(
    ("kind", "fault", "expected"),
    [
        ("rounding-mode", "F75", "rounding-mode"),
        ("rounding-mode", "F128", "divergent"),
        ("rounding-mode", "F90+F71", "divergent"),
        ("rounding-mode", "", "rounding-mode"),
        ("divergent", "F71", "rounding-mode"),
        ("nonfinite", "F163", "divergent"),
        ("nonfinite", "F129", "divergent"),
        ("nonfinite", "", "nonfinite"),
        ("refused", "", "refused"),
    ],
)
def test_a_bug_has_one_kind_whatever_data_show_it(
    kind: str, fault: str, expected: str
) -> None:
    matches = (Match(fault, "title", 1, 1),) if fault else ()
    assert kind_of_bug(kind, matches) == expected


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("F90+F142", "F90"),
        ("F90+F75", "F90"),
        ("F70+F90", "F90"),
        ("F70+F71", "F70"),
        ("F90", "F90"),
    ],
)
def test_of_two_faults_the_one_that_more_than_ties_tell_of_names_the_bug(
    cause: str, expected: str
) -> None:
    assert told_by(cause) == expected
    text = Signature("e", "divergent", "AveragePool", "Pooling", cause).text
    assert text == f"e | divergent | {expected}"


def test_data_decide_whether_a_wrong_value_is_finite() -> None:
    texts = {
        Signature("e", kind, "AveragePool", "Pooling", "unexplained").text
        for kind in ("divergent", "nonfinite")
    }
    assert texts == {"e | divergent | Pooling <- AveragePool | unexplained"}
