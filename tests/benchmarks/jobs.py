"""What a second job brings: whole campaigns, side by side in one run.

The bugs of the engines are found beforehand: what is measured is a campaign that knows them, and
looks into nothing new.
"""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from unittest import mock

from corpus.case import Case
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.bench import Bench, set_up, with_variants
from harness.campaign.jobs import Jobs
from harness.campaign.journal import Past
from harness.campaign.plan import Plan
from harness.campaign.resume import open_store
from harness.campaign.suspicions import Suspicion, looked_into
from harness.events import BatchJudged, Event, FindingSaved
from harness.investigate import Dossier
from harness.run import Campaign
from tests.benchmarks.clock import cpu_seconds
from tests.quality.campaigns import descendants

NAMES = ("engine", "ort", "torch-fbgemm", "torch-qnnpack")
KNOWN_CASES = 400
WARM, MEASURED, ROUNDS = 192, 768, 5
LOOP = 5_000_000
WAYS = {
    "one job on one core": 1,
    "two jobs on two cores": 2,
}


@dataclass(frozen=True, slots=True)
class Speed:
    """Cases a second by the clock on the wall, and processor milliseconds a case.

    ``own_ms`` are those of the campaign's own process.
    """

    rate: float
    all_ms: float
    own_ms: float


def report() -> Iterator[str]:
    cores = range(os.cpu_count() or 1)
    os.sched_setaffinity(0, cores)
    past = _bugs()
    yield f"jobs: {', '.join(NAMES)}; conv; {len(past.bugs)} bugs known; median of {ROUNDS} rounds"
    speeds: dict[str, list[Speed]] = {way: [] for way in WAYS}
    machine: list[float] = []
    for _ in range(ROUNDS):
        for way, jobs in WAYS.items():
            speeds[way].append(_speed(jobs, cores[:jobs], past))
        machine.append(_two_loops())
    for way, each in speeds.items():
        yield (
            f"  {way:<30}{median(s.rate for s in each):6.0f} cases/s   "
            f"{median(s.all_ms for s in each):5.2f} ms of processor a case, "
            f"{median(s.own_ms for s in each):5.2f} of them in the campaign's process"
        )
    one, two = speeds.values()
    by_wall = [b.rate / a.rate for a, b in zip(one, two, strict=True)]
    by_cpu = [2 * a.all_ms / b.all_ms for a, b in zip(one, two, strict=True)]
    yield f"  two jobs / one job           {_spread(by_wall)}   (goal: >= 1.8)"
    yield f"  by processor time            {_spread(by_cpu)}"
    yield f"  two plain loops / one loop   {_spread(machine)}   what the machine gives"


def _spread(ratios: Sequence[float]) -> str:
    """Of runs side by side in time: neighbours that come and go disturb both alike."""
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _two_loops() -> float:
    """What a second core brings to loops that share nothing and touch no memory."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(_loop_seconds, [1, 1]))
        one = max(pool.map(_loop_seconds, [LOOP]))
        return 2 * one / max(pool.map(_loop_seconds, [LOOP, LOOP]))


def _loop_seconds(times: int) -> float:
    start = time.perf_counter()
    for number in range(times):
        _ = number * number % 7
    return time.perf_counter() - start


def _plan(seed: int, cases: int, out: str) -> Plan:
    return Plan(seed, "conv", "any", out, cases=cases, backends=NAMES)


def _bench(stack: ExitStack, plan: Plan) -> Bench:
    pool = stack.enter_context(Pool(plan.timeout))
    return set_up(pool, with_variants([parse(each) for each in NAMES]))


def _bugs() -> Past:
    """What a short campaign finds, in a hurry."""
    with (
        tempfile.TemporaryDirectory() as out,
        ExitStack() as stack,
        mock.patch("harness.law.bug.LAW_BUDGET_S", 0.1),
        mock.patch("harness.law.bug.UNEXPLAINED_LAW_BUDGET_S", 0.1),
    ):
        plan = _plan(5, KNOWN_CASES, out)
        store = stack.enter_context(closing(open_store(Path(out))))
        for event in Campaign(_bench(stack, plan), plan, _keep, store).events():
            store.handle(event)
        past = store.past(seconds=0.0, saved={})
    return Past(bugs=past.bugs, seen=past.seen, reported=past.seen, became=past.became)


class _Judging(Campaign):
    """A campaign that judges and recognises, and makes no findings."""

    def _look_into(
        self, suspicion: Suspicion, case: Case, handled: int = 0
    ) -> Iterator[Event]:
        if suspicion.suspects is None:
            looked_into(self.bench, case, suspicion, self.supply.known)
        yield from ()


def _speed(jobs: int, cores: Sequence[int], past: Past) -> Speed:
    """Of a campaign in which everything has started; the journal is written as ever."""
    os.sched_setaffinity(0, cores)  # everything below inherits it
    with tempfile.TemporaryDirectory() as out, ExitStack() as stack:
        plan = _plan(6, 10**9, out)
        crew = stack.enter_context(closing(Jobs(plan, jobs, busy=1)))
        bench = _bench(stack, plan)
        store = stack.enter_context(closing(open_store(Path(out))))
        campaign = _Judging(bench, plan, _keep, store, crew, past)
        events = stack.enter_context(closing(campaign.events()))
        judged, start = 0, (0.0, 0.0, 0.0)
        for event in events:
            store.handle(event)
            judged += event.cases if isinstance(event, BatchJudged) else 0
            if not any(start) and judged >= WARM:
                start, judged = _clocks(), 0
            if any(start) and judged >= MEASURED:
                wall, all_of_it, own = (b - a for a, b in zip(start, _clocks(), strict=True))
                return Speed(judged / wall, all_of_it / judged * 1e3, own / judged * 1e3)
    raise AssertionError


def _clocks() -> tuple[float, float, float]:
    """Seconds on the wall, of processor of all our processes, and of this one."""
    below = sum(cpu_seconds(pid) for pid in descendants(os.getpid()))
    own = time.process_time()
    return time.perf_counter(), below + own, own


def _keep(dossier: Dossier) -> FindingSaved:
    return FindingSaved(dossier.finding, dossier.evidence, "")
