"""The console: a header, one line of progress, a block for each finding, and a closing summary."""

import io
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import TextIO

from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from corpus.finding import Finding
from harness.events import (
    BackendSkipped,
    CampaignFinished,
    CampaignInterrupted,
    CampaignResumed,
    CampaignStarted,
    Event,
    FindingSaved,
)
from reports import words
from reports.closing import closing
from reports.model import Report, advance
from reports.text import clock, plural, short, visible

_MARGIN = 4
_TITLE_WIDTH = 50
_LABEL_WIDTH = 11

Row = tuple[str, str, str]


class Console:
    """Follows a campaign live on ``stream``: in place on a terminal, else a line now and then.

    ``command`` is the word before the progress; ``every_seconds`` how often a stream that is no
    terminal gets a progress line; ``quiet`` shows findings and the closing summary alone; ``now``
    is a clock in seconds. Of a run that goes on ``so_far`` is what was shown before.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        command: str = "fuzz",
        every_seconds: float = 10.0,
        quiet: bool = False,
        now: Callable[[], float] = time.monotonic,
        so_far: Report | None = None,
    ) -> None:
        self._rich = RichConsole(file=stream, highlight=False, soft_wrap=True)
        self._command, self._now, self._quiet = command, now, quiet
        self._every = 0.2 if self._rich.is_terminal else every_seconds
        self._live: Live | None = None
        self._report: Report | None = None
        self._so_far = so_far
        self._shown_at = now()

    def handle(self, event: Event) -> None:
        """Show what the event changes."""
        match event:
            case CampaignStarted():
                self._start(Report(event))
            case CampaignResumed() if self._so_far is not None:
                self._start(self._so_far)
        if self._report is None:
            return
        before = self._report
        self._report = advance(before, event)
        match event:
            case BackendSkipped():
                self._print(skipped_line(event))
            case FindingSaved():
                for line in _news(event, before):
                    self._print(line)
            case CampaignFinished() | CampaignInterrupted():
                self._finish(self._report)
        self._progress()

    def close(self) -> None:
        """Give the terminal back; also right after an exception."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _start(self, report: Report) -> None:
        self.close()
        self._report = report
        if self._quiet:
            return
        self._print(Text(header(self._report), style="bold"))
        if self._rich.is_terminal:
            line = Text(
                progress(self._report, self._command), overflow="ellipsis", no_wrap=True
            )
            self._live = Live(
                line,
                console=self._rich,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,  # stdout carries --json, and nothing else
                redirect_stderr=False,
            )
            self._live.start()

    def _progress(self) -> None:
        if self._report is None or self._report.state != "running" or self._quiet:
            return
        if self._now() - self._shown_at < self._every:
            return
        self._shown_at = self._now()
        line = Text(progress(self._report, self._command), overflow="ellipsis", no_wrap=True)
        if self._live is not None:
            self._live.update(line, refresh=True)
        else:
            self._print(line)

    def _finish(self, report: Report) -> None:
        self.close()
        self._print(Text(progress(report, self._command)))
        for each in closing(report):
            self._print(each)
        self._print(Text(report_line(report)))

    def _print(self, line: RenderableType) -> None:
        self._rich.print(line)


def render(report: Report, command: str = "fuzz") -> str:
    """The whole campaign as the console shows it when it is over."""
    shown: list[RenderableType] = [header(report)]
    shown += (skipped_line(each) for each in report.skipped)
    for each in report.findings:
        shown += finding_block(each, report.started.out)
    shown += (progress(report, command), *closing(report), report_line(report))
    stream = io.StringIO()
    console = RichConsole(
        file=stream, highlight=False, markup=False, soft_wrap=True, color_system=None
    )
    for line in shown:
        console.print(line)
    return stream.getvalue()


def header(report: Report) -> str:
    """``quantdiff 0.1 · seed 7 · engine, opencv 5.0.0.93``."""
    start = report.started
    names = (
        short(each.name) if each.version == start.quantdiff else words.engine(each)
        for each in start.backends
    )
    return f"quantdiff {short(start.quantdiff)} · seed {start.seed} · {', '.join(names)}"


def progress(report: Report, command: str) -> str:
    """``  fuzz  12,418 cases · 207/s · 3 findings · 0:00 left``.

    Where several backends have findings, how many each; and what is looked into just now.
    """
    parts = [
        plural(report.cases, "case"),
        f"{report.cases_per_second:,.0f}/s",
        _found(report),
        *([short(report.phase)] if report.phase else []),
        _left(report),
    ]
    return f"  {command}  {' · '.join(parts)}"


def _found(report: Report) -> str:
    of = Counter(each.finding.backend.name for each in report.findings)
    total = plural(len(report.findings), "finding")
    if len(of) < 2:
        return total
    return f"{total} ({', '.join(f'{short(name, 24)} {count}' for name, count in of.items())})"


def _left(report: Report) -> str:
    if report.state == "interrupted":
        by = f" by {short(report.signal)}" if report.signal else ""
        return f"interrupted{by} after {clock(report.seconds)}"
    planned = report.started.planned_seconds
    if planned is not None:
        return f"{clock(planned - report.seconds)} left"
    if report.started.planned_cases is None or not report.cases:
        return f"{clock(report.seconds)} so far"
    rest = max(0, report.started.planned_cases - report.cases)
    return f"{clock(rest * report.seconds / report.cases)} left"


def report_line(report: Report) -> str:
    """``  report out/index.html``."""
    return f"  report {visible(str(PurePath(report.started.out, 'index.html')))}"


def skipped_line(event: BackendSkipped) -> Text:
    """``  opencv takes no part: cv2 is not installed``."""
    return Text(
        f"  {short(event.name)} takes no part: {short(event.reason, 200)}", style="yellow"
    )


def _news(saved: FindingSaved, before: Report) -> Sequence[Text]:
    """A new finding, or what is new about one that was shown already: its law."""
    known = [each.finding for each in before.findings if each.finding.id == saved.finding.id]
    if not known:
        return finding_block(saved, before.started.out)
    is_new = saved.finding.law and saved.finding.law != known[0].law
    return (law_line(saved),) if is_new else ()


def law_line(saved: FindingSaved) -> Text:
    """The law of a finding that was shown before it: ``  3a91  law        groups > 1 ...``."""
    finding = saved.finding
    line = Text("  ").append(short(finding.id), style="bold red")
    return line.append(_line("  ", _law(finding), len(words.law(finding)) + _MARGIN))


def finding_block(saved: FindingSaved, out: str) -> tuple[Text, ...]:
    """The finding in a few aligned lines: what, when, why, how small and where."""
    rows = _rows(saved, out)
    width = max((len(middle) for _, middle, right in rows if right), default=0) + _MARGIN
    indent = " " * (4 + len(saved.finding.id))
    return (_title(saved), *(_line(indent, row, width) for row in rows))


def _title(saved: FindingSaved) -> Text:
    finding = saved.finding
    title = Text("  ")
    title.append(short(finding.id), style="bold red").append("  ")
    title.append(short(finding.backend.name), style="bold").append("  ")
    title.append(words.culprit(finding))
    title.append(" " * max(_MARGIN, _TITLE_WIDTH - len(title)))
    return title.append(words.headline(finding))


def _line(indent: str, row: Row, width: int) -> Text:
    label, middle, right = row
    line = Text(indent)
    line.append(label.ljust(_LABEL_WIDTH), style="dim")
    return line.append(middle.ljust(width) if right else middle).append(right)


def _law(finding: Finding) -> Row:
    return "law", words.law(finding), words.law_score(finding)


def _rows(saved: FindingSaved, out: str) -> Sequence[Row]:
    finding = saved.finding
    rows: list[Row] = []
    if finding.law:
        rows.append(_law(finding))
    rows += [
        ("diagnosis", words.fault(m), words.match_score(m)) for m in finding.diagnosis[:2]
    ]
    rows += [
        ("near miss", words.fault(m), words.near_score(m)) for m in finding.near_misses[:1]
    ]
    if finding.switches:
        rows.append(("passes", words.switches(finding), "without them the answer is right"))
    script = PurePath(out, saved.folder, "repro.py")
    return [*rows, ("smallest", words.smallest(finding), visible(str(script)))]
