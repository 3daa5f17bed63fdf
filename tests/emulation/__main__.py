"""``make emulation``: per profile and operator, how many outputs differ from the real engine."""

import argparse
import importlib.util
import sys
import time

from tests.emulation.catalogue import CHECKS
from tests.emulation.check import count


def main(arguments: list[str]) -> int:
    """Prints a row a check; 1 where something differs without a known cause."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulation", description=__doc__)
    parser.add_argument("--elements", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("only", nargs="*", help="profiles or operators; all without")
    given = parser.parse_args(arguments)
    failed = 0
    print(f"{'profile':<10}{'operator':<34}{'elements':>11}{'differ':>8}{'seconds':>9}  cause")
    for check in CHECKS:
        names = {check.profile, check.operator, check.operator.split()[0]}
        if given.only and not names & set(given.only):
            continue
        head = f"{check.profile:<10}{check.operator:<34}"
        if importlib.util.find_spec(check.needs) is None:
            print(f"{head}{'skipped: ' + check.needs + ' is not installed':>28}", flush=True)
            continue
        start = time.perf_counter()
        found = count(check, given.elements, given.seed)
        failed |= bool(found.mismatches and not check.cause)
        cause = check.cause if found.mismatches else ""
        seconds = time.perf_counter() - start
        print(
            f"{head}{found.elements:>11,}{found.mismatches:>8,}{seconds:>9.1f}  {cause}",
            flush=True,
        )
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
