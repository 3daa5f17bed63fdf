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
    print(f"{'operator':<28}{'elements':>11}{'ties':>10}  alarms of {', '.join(backends)}")
    for operator, counts in sorted(found.items()):
        row = "".join(f"{len(counts.alarms.get(each, ())):>7}" for each in backends)
        elements = counts.elements[ENGINE[0]]
        print(f"{operator:<28}{elements:>11,}{counts.ties:>10,}{row}", flush=True)
    for operator, counts in sorted(found.items()):
        for backend, alarms in sorted(counts.alarms.items()):
            for cause, times in Counter(each.split(" ")[0] for each in alarms).items():
                first = next(each for each in alarms if each.startswith(cause))
                print(f"{operator} {backend}: {times} {cause}, first {first}")
    return int(any(each in counts.alarms for counts in found.values() for each in ENGINE))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
