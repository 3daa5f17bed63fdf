"""``make false-alarms``: tie-rich data through every operator; whatever is called wrong is listed."""

import argparse
import sys
from collections import Counter

from tests.falsealarms.count import ENGINE, ORT, count


def main(arguments: list[str]) -> int:
    """Prints a row for each operator; 1 where our own engine raised an alarm."""
    parser = argparse.ArgumentParser(prog="python -m tests.falsealarms", description=__doc__)
    parser.add_argument("--elements", type=int, default=1_000_000, help="of each operator")
    parser.add_argument("--seconds", type=float, default=3600.0, help="all together, at most")
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    parser.add_argument("only", nargs="*", help="operators; all without")
    given = parser.parse_args(arguments)
    found = count(given.elements, given.seconds, given.start, given.only)
    backends = (*ENGINE, *ORT)
    print(
        f"{'operator':<26}{'cases':>7}{'elements':>11}{'of ort':>11}{'ties':>9}"
        f"  alarms of {', '.join(backends)}"
    )
    for operator, counts in sorted(found.items()):
        row = "".join(f"{counts.alarms.get(each, Counter()).total():>7}" for each in backends)
        ours, theirs = (counts.elements[each] for each in (ENGINE[0], ORT[0]))
        print(
            f"{operator:<26}{counts.cases:>7,}{ours:>11,}{theirs:>11,}{counts.ties:>9,}{row}",
            flush=True,
        )
    for operator, counts in sorted(found.items()):
        for backend, alarms in sorted(counts.alarms.items()):
            for cause, times in alarms.items():
                first = counts.first[backend, cause]
                print(f"{operator} {backend}: {times} {cause}, first {first}")
    return int(any(each in counts.alarms for counts in found.values() for each in ENGINE))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
