"""What a campaign says when it begins, and of every task that is judged."""

from harness.bench import Bench
from harness.campaign.judge import JudgedTask, Row
from harness.campaign.plan import Plan
from harness.campaign.versions import own_version
from harness.coverage import counted
from harness.events import BatchJudged, CampaignStarted, count


def started(bench: Bench, plan: Plan) -> CampaignStarted:
    """The first event: what is to be done, and by whom."""
    return CampaignStarted(
        quantdiff=own_version(),
        seed=plan.seed,
        family=plan.family,
        scales=plan.scales,
        backends=tuple(bench.engine(spec) for spec in bench.specs),
        out=plan.out,
        planned_cases=plan.cases,
        planned_seconds=plan.seconds,
        cells=plan.cells(),
        named=plan.backends,
        timeout=plan.timeout,
        memory=plan.memory,
    )


def batch(judged: JudgedTask, seconds: float, cells: set[str]) -> BatchJudged:
    """The numbers of a task; ``cells`` are those that were reached before, and these join them."""
    verdicts: dict[str, list[str]] = {}
    for row in judged.rows:
        for backend, word in row.words.items():
            verdicts.setdefault(backend, []).append(word)
    return BatchJudged(
        cases=len(judged.rows),
        comparisons=sum(len(each) for each in verdicts.values()),
        seconds=seconds,
        counts={name: count(each) for name, each in verdicts.items()},
        cells=_new(judged.rows, cells),
        unasked=judged.unasked,
        silent=sum(bool(row.silent) for row in judged.rows),
        parted=sum(len(row.parties) > 1 for row in judged.rows),
        fusions=counted(row.fusions for row in judged.rows),
    )


def _new(rows: tuple[Row, ...], cells: set[str]) -> tuple[str, ...]:
    new = {cell for row in rows for cell in row.cells} - cells
    cells |= new
    return tuple(sorted(new))
