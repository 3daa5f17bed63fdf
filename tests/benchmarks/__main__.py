"""``make bench``: what it costs, on one core, as ratios within one run."""

import os

from tests.benchmarks import hunt, inside, loop


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # workers inherit it
    for part in (loop.report, inside.report, hunt.report):
        for line in part():
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
