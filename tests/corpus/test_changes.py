"""What changed between two releases, in words that a user understands."""

import pytest

from corpus.changes import BugSeen, Changed, Compared
from corpus.history import ANOTHER, RIGHT, SAME


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ("divergent", "exact", "wrong before, right now"),
        ("tie", "nonfinite", "right before, wrong now"),
        ("refused", "tie", "refused before, right now"),
        ("exact", "timed-out", "right before, timed out now"),
        ("crashed", "refused", "crashed before, refused now"),
        ("divergent", "rounding-mode", "wrong in another way"),
        ("exact", "tie", "another allowed value"),
    ],
)
def test_two_verdicts_make_a_change(before: str, after: str, change: str) -> None:
    assert Changed(before, after, 1, ()).change == change


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (SAME, RIGHT, "fixed"),
        (RIGHT, SAME, "new"),
        (SAME, SAME, "in both"),
        (ANOTHER, SAME, "unclear"),
    ],
)
def test_a_bug_is_fixed_only_where_the_other_release_is_right(
    before: str, after: str, change: str
) -> None:
    assert BugSeen("divergent | F01", ("3a91",), before, after).change == change


def test_what_got_worse_is_said_first_and_like_changes_are_one() -> None:
    changed = (
        Changed("exact", "tie", 90, (1, 2)),
        Changed("divergent", "exact", 50, (3, 4)),
        Changed("divergent", "tie", 2, (5,)),
        Changed("exact", "divergent", 1, (6,)),
    )
    compared = Compared("onnxruntime", "1.20.1", "1.31.1", (), 1000, changed)
    assert list(compared.answers_by_change().items()) == [
        ("right before, wrong now", 1),
        ("wrong before, right now", 52),
        ("another allowed value", 90),
    ]
    assert compared.cases_of("wrong before, right now") == (3, 4, 5)
