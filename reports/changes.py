"""What changed between two releases, in words and as the lines of a console."""

from collections.abc import Iterator

from rich.text import Text

from corpus.changes import BOTH, FIXED, NEW, UNCLEAR, WITHIN, BugSeen, Compared
from corpus.finding import Finding
from reports import words
from reports.model import Report
from reports.text import plural, short

_MOST_BUGS = 8  # of one change; the page has all
_TOLD = (NEW, UNCLEAR, FIXED)  # a bug in both is among the findings already


def headline(compared: Compared) -> str:
    """``between onnxruntime 1.20.1 and 1.31.1: 3 bugs fixed, 1 new, 5 in both``."""
    between = f"{short(compared.engine)} {short(compared.older)} and {short(compared.newer)}"
    fixed, *others = (
        (change, len(compared.bugs_that_are(change))) for change in (FIXED, NEW, BOTH, UNCLEAR)
    )
    parts = [f"{plural(fixed[1], 'bug')} {FIXED}"]
    parts += [f"{count} {change}" for change, count in others if count or change != UNCLEAR]
    within = compared.answers_by_change().get(WITHIN, 0)
    allowed = f"; {plural(within, 'answer')} changed within what is allowed" if within else ""
    return f"between {between}: {', '.join(parts)}{allowed}"


def answers(compared: Compared) -> Iterator[tuple[str, str]]:
    """``12 answers``, ``wrong before, right now (case 3, 17, ...)``: a pair for each change."""
    for change, count in compared.answers_by_change().items():
        if change == WITHIN:
            continue  # the headline says it
        cases = compared.cases_of(change)
        more = ", ..." if count > len(cases) else ""
        yield plural(count, "answer"), f"{change} (case {', '.join(map(str, cases))}{more})"


def lines(report: Report) -> Iterator[Text]:
    """The closing summary's part about releases; nothing where there is but one of each engine."""
    by_id = {each.finding.id: each.finding for each in report.findings}
    for compared in report.compared:
        yield Text(f"  {headline(compared)}", style="bold")
        for change in _TOLD:
            found = compared.bugs_that_are(change)
            yield from (_bug(compared, each, by_id) for each in found[:_MOST_BUGS])
            if (rest := len(found) - _MOST_BUGS) > 0:
                yield Text(f"    and {rest} more {change}, see the report", style="dim")
        yield from (Text(f"    {count}: {change}") for count, change in answers(compared))


def _bug(compared: Compared, seen: BugSeen, by_id: dict[str, Finding]) -> Text:
    line = Text(f"    {seen.change}  ", style="red" if seen.change == NEW else "")
    line.append(short(seen.findings[0]), style="bold")
    finding = by_id.get(seen.findings[0])
    if finding is not None:
        line.append(f"  {words.culprit(finding, limit=24)}  ", style="default")
        line.append(words.cause(finding), style="dim")
    if seen.change == UNCLEAR:
        before, after = (
            f"{word} in {short(release)}"
            for word, release in ((seen.before, compared.older), (seen.after, compared.newer))
        )
        line.append(f"  {before}, {after}", style="default")
    return line


def releases(finding: Finding) -> str:
    """``the same bug in 1.20.1, right in 1.31.1``; empty where one release took part."""
    said = finding.releases.items()
    return ", ".join(f"{short(word)} in {short(release)}" for release, word in said)
