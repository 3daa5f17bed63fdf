"""The memory of a campaign over time: flat, or something leaks.

``python -m tests.benchmarks memory --minutes N`` prints it every half a minute.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.quality.campaigns import ROOT, command_of, descendants

MINUTES = 2.0
STEP_SECONDS = 30.0
MIB = 1 << 20
COMMAND = (sys.executable, "-m", "harness", "fuzz", "--family", "all", "--jobs", "2")
BACKENDS = ("engine", "ort", "torch-fbgemm", "torch-qnnpack", "opencv", "onnx-reference")


def report(*arguments: str) -> Iterator[str]:
    minutes = float(arguments[1]) if arguments[:1] == ("--minutes",) else MINUTES
    named = [word for each in BACKENDS for word in ("-b", each)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "run")
        limits = ("--time", f"{minutes:g}m", "--seed", "7", "--out", str(out))
        process = subprocess.Popen(
            [*COMMAND, *named, *limits], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        yield "memory in MiB: the campaign, its jobs, the workers of engines (number of them)"
        try:
            start = time.monotonic()
            while process.poll() is None:
                time.sleep(STEP_SECONDS)
                yield f"  {(time.monotonic() - start) / 60:5.1f} min  {_line(process.pid)}"
        finally:
            process.terminate()
            process.wait()


def _line(pid: int) -> str:
    below = descendants(pid)
    jobs = [each for each in below if "spawn_main" in command_of(each)]
    workers = [each for each in below if "worker.py" in command_of(each)]
    return (
        f"campaign {resident(pid):6.0f}   jobs {sum(map(resident, jobs)):6.0f} ({len(jobs)})   "
        f"workers {sum(map(resident, workers)):6.0f} ({len(workers)}), "
        f"largest {max(map(resident, workers), default=0):6.0f}"
    )


def resident(pid: int) -> float:
    """MiB that a process holds, 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 / MIB if found else 0.0
