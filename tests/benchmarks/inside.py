"""What the stations of the line cost one by one: observe, passes, reduce, pages."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from corpus.case import Case
from generators.graphs import draw_case
from harness.backends.catalogue import PLAIN
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.bench import Bench, Contestant, set_up
from harness.events import FindingSaved, LogWriter
from harness.locate import locate
from harness.observe import observe
from harness.outcome import Values
from harness.passes import passes_of
from harness.run import Campaign, Plan
from reports.folder import write_run
from reports.model import LOG_NAME, replay

OBSERVED = 60


def report() -> Iterator[str]:
    with Pool() as pool:
        ort = parse("ort")
        bench = set_up(pool, [Contestant(ort, PLAIN)])
        cases = [draw_case("conv", "any", seed) for seed in range(OBSERVED)]
        yield from _observing(bench, cases)
        yield from _passes(bench, cases)
    yield from _finding_and_pages()


def _observing(bench: Bench, cases: list[Case]) -> Iterator[str]:
    spec = bench.specs[0]
    outcomes = [(case, bench.run(case, spec)) for case in cases]
    ran = [(case, each) for case, each in outcomes if isinstance(each, Values)]
    start = time.perf_counter()
    for case, outcome in ran:
        tapped = observe(bench.pool, spec, case, outcome.arrays)
        locate(case.proto(), tapped)
    spent = (time.perf_counter() - start) / len(ran)
    yield f"locate on ort, fusion kept: {spent * 1e3:.1f} ms a case   (goal: <= 25 ms)"


def _passes(bench: Bench, cases: list[Case]) -> Iterator[str]:
    spec = bench.specs[0]
    start = time.perf_counter()
    for case in cases[:5]:
        passes_of(bench, spec, case)
    spent = (time.perf_counter() - start) / 5
    yield f"passes of ort on a right case (one probe): {spent * 1e3:.1f} ms"


def _finding_and_pages() -> Iterator[str]:
    with Pool() as pool, TemporaryDirectory() as temporary:
        out = Path(temporary) / "run"
        out.mkdir()
        bench = set_up(pool, [Contestant(parse("engine:fault=F25"), PLAIN)])
        plan = Plan(seed=1, family="conv", scales="any", out=str(out), cases=1000)
        campaign = Campaign(bench, plan, _keep, lambda *_: None)
        with LogWriter(out / LOG_NAME) as log:
            for event in campaign.events():
                log.handle(event)
        start = time.perf_counter()
        write_run(replay(out), out)
        spent = time.perf_counter() - start
        size = sum(path.stat().st_size for path in out.rglob("*.html"))
        yield f"pages of {plan.cases} cases: {spent * 1e3:.0f} ms, {size / 1e3:.0f} kB   (goal: <= 2 s, <= 5 MB)"


def _keep(dossier: object) -> FindingSaved:
    from harness.investigate import Dossier

    assert isinstance(dossier, Dossier)
    return FindingSaved(dossier.finding, dossier.evidence, f"findings/{dossier.finding.id}")
