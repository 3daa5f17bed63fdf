"""The closing summary: who was right how often, which bugs there are, what was covered."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from corpus.finding import Finding
from reports import changes, words
from reports.model import Report
from reports.text import plural, short

_MOST_BUGS = 12  # lines a person reads; the page has all
_NAME, _VERSION = 22, 10  # letters, so that the table fits 80 columns
_MOST_NAMED = 3  # backends, in a line of 80 columns
_COLUMNS = ("right", "wrong", "refused", "crashed", "timed out", "bugs")


def closing(report: Report) -> Iterator[RenderableType]:
    """The whole of it, for a console."""
    yield answers(report)
    yield from bugs(report)
    yield from changes.lines(report)
    for each in report.failures:
        yield Text(failure_line(each), style="red")
    for line in (
        coverage_line(report),
        fusions_line(report),
        silent_line(report),
        *unasked_lines(report),
        unsettled_line(report),
    ):
        if line:
            yield Text(line)


def answers(report: Report) -> Table:
    """A row a backend: how many of its answers were what."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  backend", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for engine, counts in report.backends:
        bugs = len(report.findings_of(engine.name))
        numbers = (
            counts.exact + counts.tie,
            counts.divergent + counts.rounding_mode,
            counts.refused,
            counts.crashed,
            counts.timed_out,
            bugs,
        )
        row = [Text(f"{number:,}", style="" if number else "dim") for number in numbers]
        name = f"  {short(engine.name, _NAME)} {short(engine.version, _VERSION)}".rstrip()
        table.add_row(Text(name, style="red" if bugs else ""), *row)
    return table


def bugs(report: Report) -> Iterator[Text]:
    """A line a bug, the most frequent first; the last says how many are not shown."""
    found = sorted((each.finding for each in report.findings), key=lambda each: -each.seen)
    for each in found[:_MOST_BUGS]:
        yield _bug(each)
    if (rest := len(found) - _MOST_BUGS) > 0:
        yield Text(f"  and {plural(rest, 'more bug')}, see the report", style="dim")


def _bug(finding: Finding) -> Text:
    line = Text(f"  {short(finding.id)}", style="bold red")
    line.append(f"  {short(finding.backend.name)}  ", style="bold")
    line.append(f"{words.culprit(finding, limit=24)}  ", style="default")
    line.append(f"{plural(finding.seen, 'case')}  ", style="default")
    return line.append(words.cause(finding), style="dim")


def coverage_line(report: Report) -> str:
    """``  covered 1,020 of 1,050 cells``."""
    known = len(report.started.cells)
    return f"  covered {len(report.cells):,} of {known:,} cells" if known else ""


def fusions_line(report: Report) -> str:
    """``  120 kinds of fusion seen in a sample: engine 41, ort 30, opencv 21 and 3 more``."""
    seen = {name: len(taken) for name, taken in report.fusions.items() if taken}
    kinds = len({each for taken in report.fusions.values() for each in taken})
    most = sorted(seen, key=lambda name: -seen[name])
    named = ", ".join(f"{short(name, 16)} {seen[name]}" for name in most[:_MOST_NAMED])
    more = f" and {len(most) - _MOST_NAMED} more" if len(most) > _MOST_NAMED else ""
    return (
        f"  {plural(kinds, 'kind')} of fusion seen in a sample: {named}{more}" if seen else ""
    )


def silent_line(report: Report) -> str:
    """``  the standard says nothing of 41 cases; backends differ on 3 of them``."""
    if not report.silent:
        return ""
    of = plural(report.silent, "case")
    return f"  the standard says nothing of {of}; backends differ on {report.parted:,} of them"


def unasked_lines(report: Report) -> Iterator[str]:
    """``  opencv hung again and again in one operator, and was not asked about 960 cases of it``."""
    for name, times in report.unasked.items():
        of = plural(times, "case")
        yield f"  {short(name)} hung again and again in one operator, and was not asked about {of} of it"


def unsettled_line(report: Report) -> str:
    """``  12 wrong answers were not looked into in time: go on with quantdiff fuzz --resume --out DIR``."""
    if not report.unsettled:
        return ""
    of = plural(report.unsettled, "wrong answer")
    return f"  no time was left to look into {of}: quantdiff fuzz --resume --out {report.started.out}"


def failure_line(failure: str) -> str:
    """What failed by a fault of ours, where, and what to do; the log has the whole traceback."""
    step, _, trace = failure.partition(": ")
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    where = next((line for line in reversed(lines) if line.startswith("File ")), "")
    error = lines[-1] if lines else ""
    kept = (
        "the case is left out"
        if step.startswith("judging")
        else "the finding is kept as it was"
    )
    return (
        f"  quantdiff itself failed {short(step, 60)}: {short(error, 100)} ({short(where, 90)}); "
        f"{kept}; please report it with events.ndjson"
    )
