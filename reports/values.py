"""The values of one tensor side by side: expected, allowed, and what each backend made of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.finding import Evidence, Sample
from reports.text import number
from reports.words import excess, position

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of one backend; ``off`` says how far outside, empty where it is right."""

    text: str
    off: str


@dataclass(frozen=True, slots=True)
class Row:
    """One element: its coordinates, the exact value, the allowed range, a cell for each sample."""

    position: str
    expected: str
    allowed: str
    cells: tuple[Cell, ...]
    is_wrong: bool


@dataclass(frozen=True, slots=True)
class ValueTable:
    """The rows shown, of ``elements`` in the tensor; ``has_ranges``: some element allows several."""

    rows: tuple[Row, ...]
    elements: int
    has_ranges: bool

    @property
    def has_wrong(self) -> bool:
        """Some row shown is wrong for some backend."""
        return any(row.is_wrong for row in self.rows)


def wrong_elements(evidence: Evidence, sample: Sample) -> Bools:
    """Which of the recorded elements lie outside what is allowed; NaN and missing ones do."""
    values = np.full(len(evidence.expected), np.nan)
    known = min(len(values), len(sample.values))
    values[:known] = sample.values[:known]
    inside: Bools = (values >= np.array(evidence.low)) & (values <= np.array(evidence.high))
    return ~inside


def table(
    evidence: Evidence, samples: Sequence[Sample], limit: int, *, wrong_only: bool
) -> ValueTable:
    """At most ``limit`` rows in the tensor's order; the wrong ones come before the others."""
    wrong = np.zeros(len(evidence.expected), np.bool_)
    for each in samples:
        if each.values:
            wrong |= wrong_elements(evidence, each)
    chosen = np.flatnonzero(wrong)[:limit]
    if not wrong_only:
        chosen = np.concatenate([chosen, np.flatnonzero(~wrong)[: limit - len(chosen)]])
    rows = tuple(_row(evidence, samples, int(at)) for at in sorted(chosen))
    elements = int(np.prod(evidence.shape, dtype=np.int64))
    return ValueTable(rows, elements, evidence.low != evidence.high)


def _row(evidence: Evidence, samples: Sequence[Sample], at: int) -> Row:
    low, high = evidence.low[at], evidence.high[at]
    cells = tuple(_cell(each, at, low, high) for each in samples)
    return Row(
        position(at, evidence.shape),
        number(evidence.expected[at]),
        number(low) if low == high else f"{number(low)} to {number(high)}",
        cells,
        any(each.off for each in cells),
    )


def _cell(sample: Sample, at: int, low: float, high: float) -> Cell:
    if at >= len(sample.values):
        return Cell("–", "")
    value = sample.values[at]
    off = excess(value, low, high)
    return Cell(number(value), "" if off == 0 else f"{off:+g}")
