"""The search alone, on tables made by hand."""

from collections.abc import Sequence

import pytest

from harness.law.atoms import Parameters, Table
from harness.law.search import matches, shortest

GRID: list[Parameters] = [
    {
        "groups": groups,
        "M/groups": outputs,
        "kernel": kernel,
        "form": form,
        "per-channel": each,
    }
    for groups in (2, 1, 3)
    for outputs in (9, 1, 7, 8, 12, 16, 17, 24)
    for kernel in (1, 2, 3)
    for form in ("QDQ", "QLinearConv")
    for each in (True, False)
]


def law_of(expression: str, rows: Sequence[Parameters] = GRID) -> str:
    """The text of the law of the table that a Python expression over g, m, k, form, each fills."""
    fails = [
        bool(
            eval(
                expression,
                {
                    "g": row["groups"],
                    "m": row["M/groups"],
                    "k": row["kernel"],
                    "form": row["form"],
                    "each": row["per-channel"],
                },
            )
        )
        for row in rows
    ]
    law = shortest(Table(rows, fails))
    return "silence" if law is None else " and ".join(atom.text for atom in law)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("g > 1", "groups > 1"),
        ("g == 2", "groups == 2"),
        ("m % 8 != 0", "M/groups % 8 != 0"),
        ("m % 8 == 0", "M/groups % 8 == 0"),
        ("m > 8", "M/groups > 8"),
        ("m > 7 and m < 17", "M/groups > 7 and M/groups < 17"),
        ("g > 1 and m > 8 and m % 8", "groups > 1 and M/groups > 8 and M/groups % 8 != 0"),
        ("form == 'QDQ' and each", "form == QDQ and per-channel"),
        ("form == 'QDQ' and k != 1 and g > 1", "groups > 1 and kernel > 1 and form == QDQ"),
        (
            "g>1 and m<10 and k<3 and each",
            "groups > 1 and M/groups < 10 and kernel < 3 and per-channel",
        ),
    ],
)
def test_the_shortest_exact_law(expression: str, text: str) -> None:
    assert law_of(expression) == text


def test_what_always_or_never_fails_has_no_atoms() -> None:
    assert law_of("True") == ""
    assert law_of("False") == "silence"


def test_an_implied_atom_is_dropped() -> None:
    assert law_of("m > 8 and m > 7 and k > 0") == "M/groups > 8"


def test_earlier_words_are_preferred_where_the_table_cannot_tell() -> None:
    same = [{**row, "kernel": row["groups"]} for row in GRID]
    assert law_of("g > 1", same) == "groups > 1"


def test_a_few_wrong_rows_do_not_lengthen_the_law() -> None:
    rows = GRID * 3
    fails = [int(row["groups"]) > 1 and int(row["M/groups"]) > 8 for row in rows]
    for odd in (1, 60, 150):
        fails[odd] = not fails[odd]
    table = Table(rows, fails)
    law = shortest(table)
    assert law is not None
    assert " and ".join(atom.text for atom in law) == "groups > 1 and M/groups > 8"
    assert (matches(table, law) ^ table.failing).bit_count() == 3


def test_rows_that_nothing_tells_apart() -> None:
    assert shortest(Table(GRID[:1] * 10, [True] * 9 + [False])) == ()
    assert shortest(Table(GRID[:1] * 10, [True] + [False] * 9)) is None
