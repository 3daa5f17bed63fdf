"""``quantdiff check``: any ONNX model, tensor by tensor, on every backend."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from corpus.case import Case
from corpus.finding import Finding, Match
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.cli.options import (
    backend_option,
    free_place,
    input_option,
    json_option,
    open_bench,
    read_case,
    seed_option,
    timeout_option,
)
from harness.errors import BadInput
from harness.events import FindingSaved, finite
from harness.examine import Examined, examine
from harness.investigate import Dossier, investigate, main_first, seen_in
from harness.oracle import Allowed, Oracle, Silent
from reports import html, words
from reports.text import short, visible

MOST_NAMED = 8


@click.command()
@click.argument("model", metavar="MODEL")
@input_option()
@backend_option()
@seed_option()
@click.option("--html", "page", metavar="FILE", help="Write the first culprit's page here.")
@json_option()
@timeout_option()
def check(
    model: str,
    inputs: tuple[str, ...],
    backends: tuple[str, ...],
    seed: int,
    page: str | None,
    as_json: bool,
    timeout: float,
) -> int:
    """Run MODEL on every backend and judge every tensor that can be seen."""
    case = read_case(model, inputs, seed)
    place = free_place("--html", page) if page is not None else None
    with open_bench(backends, timeout, variants=False) as (bench, _):
        allowed, silent = _allowed(case)
        examined = [_examined(bench, spec, case, allowed) for spec in bench.specs]
        if silent and not any(each.rows or each.suspects for each in examined):
            raise BadInput(f"{model}: {silent}")
        dossiers = [_dossiers(bench, each) for each in examined]
    if silent:
        print(f"{model}: {silent}; what comes before and after is judged", file=sys.stderr)
    if as_json:
        print(json.dumps(_document(model, examined, dossiers), indent=2))
    else:
        _show(examined, dossiers)
    found = [dossier for each in dossiers for dossier in each]
    if place is not None:
        _write_page(place, found)
    return 1 if found else 0


def _allowed(case: Case) -> tuple[Mapping[str, Allowed], str]:
    """What the oracle allows for the outputs; nothing and its words where it is silent."""
    try:
        return Oracle(case.proto()).allowed(case.inputs), ""
    except Silent as silent:
        return {}, str(silent)


def _examined(
    bench: Bench, spec: BackendSpec, case: Case, allowed: Mapping[str, Allowed]
) -> Examined:
    """One backend, with a bar on a terminal's stderr that says how far it is."""
    terminal = Console(file=sys.stderr)
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task(spec.text)

        def told(what: str, done: int, of: int) -> None:
            bar.update(task, description=f"{spec.text} {what}", completed=done, total=of)

        return examine(bench, spec, case, allowed, told)


def _write_page(place: Path, found: list[Dossier]) -> None:
    if not found:
        print(f"nothing is wrong: {place} is not written", file=sys.stderr)
        return
    saved = FindingSaved(found[0].finding, found[0].evidence, ".")
    place.parent.mkdir(parents=True, exist_ok=True)
    page = html.render_finding(saved, index="", files=[], nodes=())
    place.write_text(page, encoding="utf-8")


def _dossiers(bench: Bench, examined: Examined) -> list[Dossier]:
    """A finding for each bug, however many operations show it."""
    seen = Counter(each.signature.id for each in examined.suspects)
    first = {each.signature.id: each for each in reversed(examined.suspects)}
    return [
        seen_in(investigate(bench, first[name], seed=0, law=False), count)
        for name, count in seen.items()
    ]


def _document(
    model: str, examined: list[Examined], dossiers: list[list[Dossier]]
) -> dict[str, Any]:
    backends = {
        each.spec.text: {
            "version": each.version,
            "verdict": each.verdict,
            "message": each.message,
            "method": each.method,
            "tensors": [
                {
                    "name": row.tensor,
                    "produced_by": row.unit.kind,
                    "verdict": row.verdict.kind,
                    "max_steps": row.verdict.max_steps,
                    "wrong": row.verdict.wrong,
                    "total": row.verdict.total,
                    "slack": row.slack,
                }
                for row in each.rows
            ],
            "culprits": [
                {"finding": suspect.signature.id, "nodes": list(suspect.unit.nodes)}
                for suspect in each.suspects
            ],
            "findings": [dossier.finding.to_dict() for dossier in found],
        }
        for each, found in zip(examined, dossiers, strict=True)
    }
    document: dict[str, Any] = finite({"schema": 1, "model": model, "backends": backends})
    return document


def _show(examined: list[Examined], dossiers: list[list[Dossier]]) -> None:
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for each, found in zip(examined, dossiers, strict=True):
        title = f"{each.spec.text} {each.version}".strip()
        said = short(each.message, 200)
        console.print(f"[bold]{escape(title)}[/bold]  {each.verdict}  {escape(said)}")
        if found and each.rows:
            console.print(_table(each))
        for dossier in found:
            also = [
                main_first(suspect)[0]
                for suspect in each.suspects
                if suspect.signature.id == dossier.finding.id
            ]
            for line in [*_lines(dossier.finding), *_also(also[1:])]:
                console.print(f"  {escape(visible(line))}")


def _also(names: list[str]) -> list[str]:
    """The other operations that show the same bug."""
    if not names:
        return []
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return [f"also in    {', '.join(names[:MOST_NAMED])}{more}"]


def _table(examined: Examined) -> Table:
    table = Table(
        "tensor", "made by", "verdict", "wrong", "steps", "slack", box=None, padding=(0, 2)
    )
    for row in examined.rows:
        verdict = row.verdict
        table.add_row(
            escape(short(row.tensor)),
            escape(short(row.unit.kind)),
            verdict.kind,
            f"{verdict.wrong} of {verdict.total}",
            f"{verdict.max_steps:g}",
            f"{row.slack:.1%}",
            style="red" if verdict.is_wrong else "",
        )
    return table


def _reproduced(match: Match) -> str:
    if not match.total:
        return words.match_score(match)
    return f"{match.matched} of {match.total} elements"


def _lines(finding: Finding) -> list[str]:
    fused = f"{finding.fused_as} <- " if finding.fused_as not in ("", finding.op) else ""
    lines = [f"culprit    {fused}{finding.op} {', '.join(finding.nodes[:1])}"]
    said = ", ".join(filter(None, (finding.verdict, finding.pattern)))
    lines += [f"verdict    {said}"]
    lines += [
        f"diagnosis  {each.fault} {each.title} ({_reproduced(each)})"
        for each in finding.diagnosis[:3]
    ]
    lines += [
        f"near miss  {each.fault} {each.title} ({each.matched} of {each.total} wrong elements)"
        for each in finding.near_misses[:2]
    ]
    lines += [
        f"passes     without {' and '.join(each)} the answer is right"
        for each in finding.switches
    ]
    if finding.instruction_sets:
        lines += [f"CPU        {words.instruction_sets(finding)}"]
    return [*lines, f"seen by    {finding.located_by}"]
