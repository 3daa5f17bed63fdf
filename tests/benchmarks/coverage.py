"""What as many cases reach by the campaign's schedule, and by chance.

The schedule takes operators and kinds in turn, and networks as often as they have cells. By chance
each kind of network is as likely as any other, and one graph in five is a chain.


``python -m tests.benchmarks coverage CASES SEEDS`` counts in that many cases of that many seeds.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from statistics import mean, stdev
from typing import Any, TypeVar

from corpus.case import Case
from generators.choices import Choices, RandomChoices, SpreadChoices
from generators.graphs import GRAPHS, case_of
from generators.operators.chains import chains
from generators.operators.networks import NETWORKS, TURNS, networks
from generators.operators.patterns import patterns
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.bench import Bench, set_up, with_variants
from harness.coverage import fusions_of

FAMILIES = ("all", "graphs", "conv")
BACKENDS = ("engine", "ort")
CASES, SEEDS = 500, 2
CELLS, DRAW = "named cells", "ms to draw"

T = TypeVar("T")
Way = Callable[[int], Choices]


class Even(RandomChoices):
    """Choices by chance."""

    def spread(self, options: Sequence[T]) -> T:
        """See ``Choices``."""
        chances: Sequence[T] = EVEN.get(id(options), options)
        return self.pick(chances)


EVEN: dict[int, Sequence[Any]] = {
    id(TURNS): tuple(NETWORKS),
    id(GRAPHS): (chains, networks, patterns, networks, patterns),
}


def report(cases: str = str(CASES), seeds: str = str(SEEDS)) -> Iterator[str]:
    count, tries = int(cases), range(1, int(seeds) + 1)
    yield f"coverage: distinct in {count} cases, by chance and by the schedule; {seeds} seeds"
    with Pool() as pool:
        bench = set_up(pool, with_variants([parse(name) for name in BACKENDS]))
        for family in FAMILIES:
            even, spread = (
                [
                    _reached(bench, family, way, range(seed << 32, (seed << 32) + count))
                    for seed in tries
                ]
                for way in (Even, SpreadChoices)
            )
            for what in even[0]:
                yield f"  {family:<7}{what:<20}{_line([e[what] for e in even], [s[what] for s in spread])}"


def _reached(bench: Bench, family: str, way: Way, numbers: range) -> dict[str, float]:
    """How many fusions of each backend and how many cells the cases of those numbers reach."""
    case_of(way(0), family, "any")  # tables are made once
    start = time.process_time()
    drawn = [case_of(way(number), family, "any") for number in numbers]
    spent = time.process_time() - start
    found: dict[str, float] = {
        f"fusions of {name}": len(_fusions(bench, name, drawn)) for name in BACKENDS
    }
    cells = {cell for case in drawn for cell in case.cells}
    return {**found, CELLS: len(cells), DRAW: spent / len(drawn) * 1e3}


def _fusions(bench: Bench, name: str, cases: Sequence[Case]) -> set[str]:
    spec = parse(name)
    return {fusion for case in cases for fusion in fusions_of(bench, spec, case)}


def _line(even: Sequence[float], spread: Sequence[float]) -> str:
    """Means and their ratio; that one is noise which the standard errors of both can explain."""
    ratio = mean(spread) / mean(even)
    line = f"{mean(even):8.1f} -> {mean(spread):8.1f}   {ratio - 1:+.0%}"
    if len(even) < 2:
        return line
    error = (stdev(even) ** 2 + stdev(spread) ** 2) ** 0.5 / len(even) ** 0.5
    return line + ("   within noise" if abs(mean(spread) - mean(even)) < 2 * error else "")
