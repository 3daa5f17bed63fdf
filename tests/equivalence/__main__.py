"""``make equivalence``: fused against unfused on 10,000 random inputs of each kind of graph."""

import argparse
import sys
import time

from tests.equivalence.compare import SOURCES, compare


def main(arguments: list[str]) -> int:
    """Prints a row for each kind of graph; 1 where a plan leaves the oracle's set or X0 changes bits."""
    parser = argparse.ArgumentParser(prog="python -m tests.equivalence", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("only", nargs="*", choices=[*SOURCES, []], help="all without")
    given = parser.parse_args(arguments)
    failed = 0
    print(
        f"{'graphs':<11}{'inputs':>8}{'elements':>12}{'outside':>9}{'X0 differ':>11}"
        f"{'differ':>9}{'loose':>8}{'seconds':>9}  rules"
    )
    for source in given.only or SOURCES:
        start = time.perf_counter()
        found = compare(source, given.inputs)
        failed |= bool(found.outside or found.x0_differ)
        seconds = time.perf_counter() - start
        print(
            f"{source:<11}{found.inputs:>8,}{found.elements:>12,}{found.outside:>9}"
            f"{found.x0_differ:>11}{found.differ:>9,}{found.loose / max(found.elements, 1):>8.1%}"
            f"{seconds:>9.0f}  {' '.join(sorted(found.rules))}",
            flush=True,
        )
        for word, counts in (("refused", found.refused), ("silent", found.silent)):
            for reason, times in counts.most_common(5):
                print(f"{'':<11}{times:>8,} {word}: {reason}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
