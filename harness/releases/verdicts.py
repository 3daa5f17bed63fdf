"""Answers that two releases gave to the same cases, out of ``run.sqlite``."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from corpus.changes import EXAMPLES, Changed

_BOTH = """
from verdicts older join verdicts newer on newer.number = older.number
where older.backend = ? and newer.backend = ?
"""
_COUNTS = f"select older.verdict, newer.verdict, count(*) {_BOTH} group by 1, 2 order by 1, 2"
_CASES = f"""select older.number {_BOTH} and older.verdict = ? and newer.verdict = ?
order by 1 limit {EXAMPLES}"""


def answers(database: Path, pairs: Sequence[tuple[str, str]]) -> tuple[Changed, ...]:
    """How often which two verdicts met, over pairs of backends (the older release first)."""
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as store:
        return tuple(
            Changed(before, after, count, _cases(store, pair, before, after))
            for pair in pairs
            for before, after, count in store.execute(_COUNTS, pair).fetchall()
        )


def _cases(
    store: sqlite3.Connection, pair: tuple[str, str], before: str, after: str
) -> tuple[int, ...]:
    """The first few cases; none where nothing changed."""
    if before == after:
        return ()
    return tuple(number for (number,) in store.execute(_CASES, (*pair, before, after)))


def changed(counted: Iterable[Changed]) -> tuple[Changed, ...]:
    """Those that differ, each pair of verdicts once; the most frequent first."""
    merged: dict[tuple[str, str], Changed] = {}
    for each in counted:
        if each.before != each.after:
            key = each.before, each.after
            merged[key] = _sum(merged[key], each) if key in merged else each
    return tuple(sorted(merged.values(), key=lambda e: (-e.answers, e.before, e.after)))


def _sum(first: Changed, second: Changed) -> Changed:
    cases = sorted({*first.cases, *second.cases})[:EXAMPLES]
    return Changed(
        first.before, first.after, first.answers + second.answers, cases=tuple(cases)
    )
