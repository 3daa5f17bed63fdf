"""From a wrong number to its cause: diagnosis over the whole catalogue, law, a large model."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.faults import CATALOGUE, Fault
from generators.graphs import draw_case
from harness.backends.catalogue import PLAIN
from harness.backends.pool import Pool
from harness.backends.spec import BackendSpec, parse
from harness.bench import Bench, Contestant, set_up
from harness.confirm import confirmed
from harness.diagnose import diagnose
from harness.investigate import shrink
from harness.law.bug import law_of
from harness.oracle import Oracle
from harness.outcome import Values
from harness.score.hunt import hunt
from harness.suspect import Suspect, suspects
from tests.benchmarks.large import conv_net

KEYS = ("F01", "F14", "F25", "F50", "F79a", "F25.matmul", "F50.matmul")
MOST = 2000


def report() -> Iterator[str]:
    yield "causes, time on the wall, workers included"
    with Pool() as pool:
        bench = set_up(pool, [Contestant(parse("engine"), PLAIN)])
        found = dict(_shrunk(bench))
        yield from _diagnoses(bench, found)
        yield from _laws(bench, found)
    yield from _check()


def _shrunk(bench: Bench) -> Iterator[tuple[str, Suspect]]:
    """One shrunk suspect for each fault."""
    faults: list[Fault] = [each for each in CATALOGUE if each.key in KEYS]
    for caught in hunt(faults, lambda number: draw_case("all", "any", number), MOST):
        spec = BackendSpec("engine", (("fault", caught.fault.key),))
        outcome = bench.run(caught.case, spec)
        yield caught.fault.key, shrink(bench, suspects(bench, spec, caught.case, outcome)[0])


def _diagnoses(bench: Bench, found: dict[str, Suspect]) -> Iterator[str]:
    slowest, total = ("", 0.0), 0.0
    for key, suspect in found.items():
        case, spec = suspect.case, suspect.spec
        outcome = bench.run(case, spec)
        assert isinstance(outcome, Values)
        start = time.perf_counter()
        allowed = Oracle(case.proto()).allowed(case.inputs)
        matches = diagnose(case, outcome.arrays, allowed, "spec").matches
        confirmed(bench, spec, case, matches)
        spent = time.perf_counter() - start
        total += spent
        slowest = max(slowest, (key, spent), key=lambda each: each[1])
    yield (
        f"  diagnosis, {len(CATALOGUE)} faults tried     {total / len(found) * 1e3:6.0f} ms a shrunk "
        f"case, {slowest[0]} {slowest[1] * 1e3:.0f} ms   (goal: <= 1 s)"
    )


def _laws(bench: Bench, found: dict[str, Suspect]) -> Iterator[str]:
    for key, suspect in found.items():
        start = time.perf_counter()
        law = law_of(bench, suspect, suspect.case, seed=0)
        spent = time.perf_counter() - start
        yield f"  law of {key:<12}          {spent:6.1f} s: {law.text}   (goal: <= 5 s)"


def _check() -> Iterator[str]:
    with TemporaryDirectory() as temporary:
        path = Path(temporary) / "large.onnx"
        model = conv_net()
        path.write_bytes(model.SerializeToString())
        for backend in ("engine", "engine:fault=F25", "ort"):
            seconds, megabytes = _checked(path, backend)
            yield (
                f"  check, {len(model.graph.node)} nodes of 1 M elements, {backend:<17} {seconds:5.1f} s, "
                f"{megabytes:,.0f} MB   (goal: <= 20 s, <= 2 GB)"
            )


def _checked(path: Path, backend: str) -> tuple[float, float]:
    """Seconds, and the largest resident set of the command and of its worker, in MB."""
    command = ["-m", "harness", "check", str(path), "-b", backend, "--timeout", "60"]
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    start = time.perf_counter()
    said = subprocess.run(
        [sys.executable, "-c", script, sys.executable, *command],
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, int(said.stdout) / 1e3
