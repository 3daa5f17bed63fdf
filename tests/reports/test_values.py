"""The side-by-side table of values, and the heat map."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.finding import Sample
from reports.heat import heat_map, legend
from reports.values import table, wrong_elements
from tests.reports import samples


def test_wrong_elements_are_those_outside_the_allowed_set() -> None:
    evidence = samples.evidence()
    engine, ort, opencv, _ = evidence.samples
    assert wrong_elements(evidence, engine).sum() == 0
    assert wrong_elements(evidence, ort).sum() == 0
    right, wrong = np.array(evidence.expected), np.array(samples.clobbered())
    assert (wrong_elements(evidence, opencv) == (right != wrong)).all()


def test_nan_and_missing_values_are_wrong() -> None:
    evidence = samples.evidence()
    short = Sample("b", "1", "values", "nonfinite", (math.nan, *evidence.expected[1:10]))
    wrong = wrong_elements(evidence, short)
    assert wrong[0]
    assert not wrong[1:10].any()
    assert wrong[10:].all()
    rows = table(evidence, [short], 96, wrong_only=False).rows
    assert (rows[0].cells[0].text, rows[0].cells[0].off) == ("NaN", "+nan")
    assert rows[10].cells[0].text == "–"


def test_wrong_rows_are_chosen_first_and_stay_in_order() -> None:
    evidence = samples.evidence()
    shown = table(evidence, evidence.samples, 30, wrong_only=False)
    assert len(shown.rows) == 30
    assert sum(row.is_wrong for row in shown.rows) == 28
    order = [tuple(map(int, row.position.split(","))) for row in shown.rows]
    assert order == sorted(order)
    assert (shown.elements, shown.has_ranges, shown.has_wrong) == (96, True, True)


def test_wrong_only_leaves_the_right_ones_out() -> None:
    evidence = samples.evidence()
    assert all(r.is_wrong for r in table(evidence, evidence.samples, 96, wrong_only=True).rows)
    assert table(evidence, evidence.samples[:1], 96, wrong_only=True).rows == ()


def test_a_range_is_spelled_out() -> None:
    evidence = samples.evidence()
    rows = table(evidence, evidence.samples, 96, wrong_only=False).rows
    assert (rows[5].expected, rows[5].allowed) == ("48", "47 to 48")
    assert rows[6].allowed == rows[6].expected


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_the_map_stays_small_and_loses_no_wrong_element(
    channels: int, pixels: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, channels - 1)), data.draw(st.integers(0, pixels - 1))
    heat = [[0.0] * pixels for _ in range(channels)]
    heat[at[0]][at[1]] = 300.0
    shown = heat_map(heat)
    cells = [cell for row in shown.rows for cell in row.cells]
    assert len(shown.rows) <= 64
    assert len(shown.columns) <= 64
    assert len(cells) == len(shown.rows) * len(shown.columns)
    assert [cell.level for cell in cells].count("5") == 1
    assert bool(shown.pooled) == (channels > 64 or pixels > 64)


def test_levels_and_their_legend() -> None:
    steps = (0.0, 0.5, 1.0, 2.0, 16.0, 64.0, 65.0, math.nan, math.inf)
    (row,) = heat_map((steps,)).rows
    assert [cell.level for cell in row.cells] == ["0", "1", "1", "2", "3", "4", "5", "n", "n"]
    assert [cell.text for cell in row.cells] == [
        "",
        "0.5",
        "1",
        "2",
        "16",
        "64",
        "65",
        "NaN",
        "∞",
    ]
    assert [level for level, _ in legend()] == ["0", "1", "2", "3", "4", "5", "n"]


def test_no_heat_is_no_map() -> None:
    assert heat_map(()).rows == ()


def test_a_tensor_beyond_the_recorded_values_says_so() -> None:
    evidence = replace(samples.evidence(), shape=(1, 24, 20, 20))
    assert table(evidence, evidence.samples, 96, wrong_only=False).elements == 9600
