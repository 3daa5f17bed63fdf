"""One graph under two plans: both inside the oracle's set, and alike bit for bit where only X0 rules ran."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from corpus.case import Array, Case
from engine import Session, Unsupported
from engine.fusion.rewrite import RULES
from generators.graphs import FAMILIES, draw_case
from generators.models import BLOCKS, block_case, inputs_of
from harness.oracle import Allowed, Oracle, Silent

SOURCES = (*BLOCKS, *FAMILIES[:-1])
"""Blocks of networks, and the families that campaigns draw from."""

INPUTS_PER_MODEL = 50
NOT_EXACT = tuple(each.id for each in RULES if each.exactness != "X0")


@dataclass(slots=True)
class Tally:
    """Elements judged, those outside, those that the two plans round differently, slack.

    ``x0_differ`` counts where a plan of X0 rules only changes bits; ``refused`` and ``silent`` cases
    that the engine or the oracle does not take, by their first words.
    """

    inputs: int = 0
    elements: int = 0
    outside: int = 0
    differ: int = 0
    loose: float = 0.0
    x0_differ: int = 0
    rules: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)


def compare(source: str, inputs: int) -> Tally:
    """Runs ``inputs`` random inputs through models of a source, fused and unfused."""
    tally = Tally()
    for case, feeds in _drawn(source):
        try:
            _compare_case(case, feeds, tally)
        except Unsupported as error:
            tally.refused[str(error)[:60]] += len(feeds)
        except Silent as error:
            tally.silent[error.what[:60]] += len(feeds)
        if tally.inputs + tally.refused.total() + tally.silent.total() >= inputs:
            return tally
    raise AssertionError("cases are drawn without end")


def _drawn(source: str) -> Iterator[tuple[Case, list[dict[str, Array]]]]:
    seed = 0
    while True:
        seed += 1
        if source in BLOCKS:
            case = block_case(source, "any", seed)
            more = inputs_of(case, 1000 * seed)
            yield case, [next(more) for _ in range(INPUTS_PER_MODEL)]
        else:
            case = draw_case(source, "any", seed)
            yield case, [dict(case.inputs)]


def _compare_case(case: Case, feeds: list[dict[str, Array]], tally: Tally) -> None:
    oracle = Oracle(case.proto())
    fused, unfused = Session(case.model), Session(case.model, fusion="off")
    exact = Session(case.model, fusion=NOT_EXACT)
    for step in fused.plan().steps:
        tally.rules.update(step.rule.split("+") if step.rule else ())
    for feed in feeds:
        allowed = oracle.allowed(feed)
        on, off, x0 = (each.run(feed) for each in (fused, unfused, exact))
        tally.inputs += 1
        for name, each in allowed.items():
            tally.elements += on[name].size
            tally.loose += each.slack * on[name].size
            tally.outside += _outside(each, on[name]) + _outside(each, off[name])
            tally.differ += int((on[name] != off[name]).sum())
            tally.x0_differ += int(_differ(x0, off, name))


def _outside(allowed: Allowed, actual: Array) -> int:
    assert actual.dtype == allowed.dtype
    assert actual.shape == allowed.low.shape
    values = actual.astype(np.float64)
    return int((~((values >= allowed.low) & (values <= allowed.high))).sum())


def _differ(one: Mapping[str, Array], other: Mapping[str, Array], name: str) -> int:
    a, b = one[name], other[name]
    return int((~((a == b) | ((a != a) & (b != b)))).sum())
