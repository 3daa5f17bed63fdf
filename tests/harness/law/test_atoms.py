"""Atoms as text, as truth, and as masks over a table: all three agree."""

import pytest

from harness.law.atoms import Atom, Table, Value

ROWS: list[dict[str, Value]] = [
    {
        "groups": groups,
        "M/groups": outputs,
        "x zero point": zero,
        "form": form,
        "per-channel": each,
    }
    for groups in (1, 2, 3)
    for outputs in (4, 8, 9, 16)
    for zero in (-128, 0, 7)
    for form in ("QDQ", "QLinearConv")
    for each in (False, True)
]


@pytest.mark.parametrize(
    ("atom", "text", "holds", "fails"),
    [
        (Atom("groups", ">", 1), "groups > 1", 2, 1),
        (Atom("groups", "<", 3), "groups < 3", 2, 3),
        (Atom("kernel", "==", 3), "kernel == 3", 3, 5),
        (Atom("x zero point", "!=", 0), "x zero point != 0", -5, 0),
        (Atom("M/groups", "!=", 0, 8), "M/groups % 8 != 0", 9, 16),
        (Atom("M/groups", "==", 0, 16), "M/groups % 16 == 0", 32, 8),
        (Atom("x dtype", "==", "int8"), "x dtype == int8", "int8", "uint8"),
        (Atom("form", "!=", "QDQ"), "form != QDQ", "QLinearConv", "QDQ"),
        (Atom("per-channel", "==", True), "per-channel", True, False),
        (Atom("per-channel", "!=", True), "not per-channel", False, True),
        (Atom("per-channel", "==", False), "not per-channel", False, True),
    ],
)
def test_text_and_truth(atom: Atom, text: str, holds: Value, fails: Value) -> None:
    assert atom.text == text
    assert atom.holds({atom.name: holds})
    assert not atom.holds({atom.name: fails})


def table() -> Table:
    return Table(ROWS, [bool(row["groups"] == 2) for row in ROWS])


def test_masks_are_the_truth_of_each_row() -> None:
    made = table()
    assert len(made.atoms) > 20
    for atom, mask in made.atoms.items():
        assert mask == sum(atom.holds(row) << i for i, row in enumerate(ROWS)), atom.text


def test_masks_are_distinct_and_say_something() -> None:
    masks = list(table().atoms.values())
    assert len(set(masks)) == len(masks)
    assert not {0, table().everything}.intersection(masks)


def test_failing_and_passing_are_all_rows() -> None:
    made = table()
    assert made.failing | made.passing == made.everything
    assert made.failing & made.passing == 0
    assert made.failing.bit_count() == len(ROWS) // 3


def test_thresholds_lie_right_below_and_above_what_was_seen() -> None:
    texts = {atom.text for atom in table().atoms}
    assert {"M/groups > 7", "M/groups > 8", "M/groups < 9"} <= texts
    assert "groups > 1" in texts
    assert "groups != 1" not in texts  # says the same
    assert "x zero point != 0" in texts
