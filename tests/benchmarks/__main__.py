"""``make bench``: what it costs, on one core, as ratios within one run.

Every part runs in a process of its own, because BLAS takes its threads when it is loaded.
"""

import importlib
import os
import subprocess
import sys

PARTS = (
    *("loop", "inside", "load", "layers", "matmul"),
    *("hunt", "causes", "coverage", "jobs"),
)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main(arguments: list[str]) -> int:
    if arguments:
        part, *options = arguments
        for line in importlib.import_module(f"tests.benchmarks.{part}").report(*options):
            print(line, flush=True)
        return 0
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # everything below inherits it
    failed = 0
    for part in PARTS:
        command = [sys.executable, "-m", "tests.benchmarks", part]
        failed |= subprocess.run(command, env=os.environ | ONE_THREAD).returncode
        print(flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
