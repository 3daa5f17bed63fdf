"""``make bench``: what it costs, on one core, as ratios within one run."""

import os

from tests.benchmarks import hunt, inside, layers, loop

PARTS = (loop, inside, layers, hunt)


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # workers inherit it
    for part in PARTS:
        for line in part.report():
            print(line, flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
