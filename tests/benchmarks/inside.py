"""What the stations of the line cost one by one: locate, passes, shrink, pages."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from corpus.case import Case
from generators.graphs import draw_case
from harness.backends.catalogue import PLAIN
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.bench import Bench, Contestant, set_up
from harness.events import FindingSaved, LogWriter
from harness.investigate import Dossier
from harness.locate import locate
from harness.observe import observe
from harness.outcome import Values
from harness.passes import passes_of
from harness.reduce import reduce
from harness.run import Campaign, Plan
from harness.same import same_bug
from harness.suspect import suspects
from harness.verdicts import is_wrong
from reports.folder import write_run
from reports.model import LOG_NAME, replay
from tests.harness.reduce.models import wrapped

OBSERVED = 60
SEARCHED = 400
PROBED = 5


def report() -> Iterator[str]:
    yield "stations of the line, time on the wall, workers included"
    with Pool() as pool:
        bench = set_up(pool, [Contestant(parse("ort"), PLAIN)])
        yield from _locating(bench)
        yield from _passes(bench)
    with Pool() as pool:
        yield from _shrinking(pool)
    yield from _pages()


def _locating(bench: Bench) -> Iterator[str]:
    spec = bench.specs[0]
    outcomes = [
        (case, bench.run(case, spec))
        for case in (draw_case("conv", "any", seed) for seed in range(OBSERVED))
    ]
    ran = [(case, each) for case, each in outcomes if isinstance(each, Values)]
    start = time.perf_counter()
    for case, outcome in ran:
        locate(case.proto(), observe(bench.pool, spec, case, outcome.arrays))
    spent = (time.perf_counter() - start) / len(ran)
    yield f"  locate on ort, fusion kept    {spent * 1e3:6.1f} ms a case   (goal: <= 25 ms)"


def _passes(bench: Bench) -> Iterator[str]:
    """On Q/DQ cases that a pass of onnxruntime gets wrong; processors with VNNI may have none."""
    spec = bench.specs[0]
    wrong, sets = _wrong_by_a_pass(bench), set[str]()
    if not wrong:
        yield f"  passes of ort: it is right on {SEARCHED} cases here, so there is nothing to time"
        return
    start = time.perf_counter()
    for case in wrong:
        sets.update("+".join(each) for each in passes_of(bench, spec, case))
    spent = (time.perf_counter() - start) / len(wrong)
    found = ", ".join(sorted(sets))
    yield f"  minimal sets of ort's passes  {spent * 1e3:6.1f} ms a wrong case   (goal: <= 300 ms): {found}"


def _wrong_by_a_pass(bench: Bench) -> Sequence[Case]:
    spec = bench.specs[0]
    plain = spec.with_option("level", "off")
    found: list[Case] = []
    for seed in range(SEARCHED):
        case = draw_case("conv", "saturating", seed)
        if is_wrong(case, bench.run(case, spec)) and not is_wrong(
            case, bench.run(case, plain)
        ):
            found.append(case)
        if len(found) == PROBED:
            break
    return found


def _shrinking(pool: Pool) -> Iterator[str]:
    """A grouped convolution between 18 elementwise nodes; needs an OpenCV that has the bug."""
    spec, case = parse("opencv"), wrapped()
    bench = set_up(pool, [Contestant(spec, PLAIN)])
    found = suspects(bench, spec, case, bench.run(case, spec))
    if not found:
        yield "  shrink: this OpenCV computes the grouped convolution right"
        return
    for said, culprit in (("culprit known", found[0].unit.nodes), ("culprit unknown", ())):
        small = reduce(case, same_bug(bench, found[0]), culprit=culprit)
        nodes, size = len(small.case.proto().graph.node), len(small.case.model)
        yield (
            f"  shrink 21 nodes, {said:<15}{small.seconds * 1e3:5.0f} ms, {small.checks} checks: "
            f"{nodes} node, {size} bytes   (goal: <= 500 ms, 1 node, <= 700 bytes)"
        )


def _pages() -> Iterator[str]:
    with Pool() as pool, TemporaryDirectory() as temporary:
        out = Path(temporary) / "run"
        out.mkdir()
        bench = set_up(pool, [Contestant(parse("engine:fault=F25"), PLAIN)])
        plan = Plan(seed=1, family="conv", scales="any", out=str(out), cases=1000)
        campaign = Campaign(bench, plan, _keep)
        with LogWriter(out / LOG_NAME) as log:
            for event in campaign.events():
                log.handle(event)
        start = time.perf_counter()
        write_run(replay(out), out)
        spent = time.perf_counter() - start
        size = sum(path.stat().st_size for path in out.rglob("*.html"))
        yield (
            f"  pages of {plan.cases} cases           {spent * 1e3:6.0f} ms, {size / 1e3:.0f} kB"
            "   (goal: <= 2 s, <= 5 MB)"
        )


def _keep(dossier: Dossier) -> FindingSaved:
    return FindingSaved(dossier.finding, dossier.evidence, f"findings/{dossier.finding.id}")
