"""Processor time, which colleagues on the same machine disturb less than the clock on the wall."""

import time
from collections.abc import Callable, Hashable

Readings = dict[tuple[Hashable, str], float]


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used; Linux (``man clock_getcpuclockid``)."""
    return time.clock_gettime((~pid << 3) | 2)


def least(kept: Readings, key: Hashable, part: str, seconds: float) -> None:
    """Keep the smallest reading of each part of each batch: the least disturbed one."""
    kept[key, part] = min(kept.get((key, part), float("inf")), seconds)


def by_part(kept: Readings) -> dict[str, float]:
    """The sum over all batches, for each part."""
    total: dict[str, float] = {}
    for (_, part), seconds in kept.items():
        total[part] = total.get(part, 0.0) + seconds
    return total


def best_of(run: Callable[[], object], rounds: int) -> float:
    """Processor time of this process for the fastest of some rounds."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)
