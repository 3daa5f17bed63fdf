"""``quantdiff faults``: the deliberate deviations that imitate real bugs, and who notices them."""

import json
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from engine.errors import EngineError
from engine.faults import CATALOGUE, DECOYS, Fault, find
from generators.graphs import draw_case
from harness.cli.fuzz import FAMILIES, SCALES
from harness.cli.options import free_place, json_option, open_bench, timeout_option
from harness.cli.score_words import decoy_table, document, line, sums, table
from harness.errors import BadInput
from harness.score.score import Score, score
from reports import html

MOST_CASES = 10_000


@click.group(invoke_without_command=True)
@click.pass_context
def faults(context: click.Context) -> int | None:
    """The fault catalogue: what our engine can do wrong on purpose."""
    return None if context.invoked_subcommand else _show(as_json=False)


@faults.command("list")
@json_option()
def list_faults(as_json: bool) -> int:
    """List every fault: its key (engine:fault=KEY), what it does, where the bug was seen."""
    return _show(as_json)


@faults.command("score")
@click.option(
    "--fault",
    "keys",
    multiple=True,
    metavar="KEY",
    help="A fault, repeatable [default: all, and decoys].",
)
@click.option("--family", type=click.Choice(FAMILIES), default="all", show_default=True)
@click.option("--scales", type=click.Choice(SCALES), default="any", show_default=True)
@click.option(
    "--cases",
    type=click.IntRange(min=1),
    default=MOST_CASES,
    show_default=True,
    metavar="N",
    help="Give a fault up that N cases do not show.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S")
@click.option("--html", "page", metavar="FILE", help="Write the page of the score here.")
@json_option()
@timeout_option()
def score_faults(
    keys: tuple[str, ...],
    family: str,
    scales: str,
    cases: int,
    seed: int,
    page: str | None,
    as_json: bool,
    timeout: float,
) -> int:
    """Which faults generated cases detect, locate and diagnose; whether a decoy is flagged.

    Each fault runs in our engine, and without fusion where it does not show with it; what it breaks
    is looked into as in a campaign.
    """
    chosen = _chosen(keys)
    place = free_place("--html", page) if page is not None else None
    with open_bench(["engine"], timeout, variants=False) as (bench, _):
        found = score(
            bench,
            chosen,
            () if keys else DECOYS,
            lambda number: draw_case(family, scales, (seed << 32) + number),
            cases,
            lambda each: print(line(each), file=sys.stderr),
        )
    said = document(found, seed=seed, family=family, scales=scales, cases=cases)
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(html.render_score(said), encoding="utf-8")
    if as_json:
        print(json.dumps(said, indent=2))
    else:
        _print_score(found)
    return 0 if found.detected == len(found.faults) and not found.flagged else 1


def _print_score(found: Score) -> None:
    console = Console(file=sys.stdout)
    console.print(table(found))
    if found.decoys:
        console.print(decoy_table(found))
    console.print(sums(found))


def _chosen(keys: Sequence[str]) -> Sequence[Fault]:
    try:
        known = [each for each in CATALOGUE if each.has_formula]
        return [find(key) for key in dict.fromkeys(keys)] or known
    except EngineError as error:
        raise BadInput(f"--fault: {error}") from error


def _show(as_json: bool) -> int:
    if as_json:
        print(json.dumps([_document(each) for each in CATALOGUE], indent=2))
    else:
        Console(file=sys.stdout, soft_wrap=False).print(_table(CATALOGUE))
    return 0


def _document(fault: Fault) -> dict[str, object]:
    """One fault, with the stages it replaces and the guards it removes."""
    return {
        "fault": fault.key,
        "id": fault.id,
        "title": fault.title,
        "source": fault.source,
        "stages": sorted(fault.stages),
        "guards_off": list(fault.guards_off),
    }


def _table(catalogue: Sequence[Fault]) -> Table:
    table = Table("fault", "what it does", "changes", "seen in", box=None)
    for each in catalogue:
        changes = [*sorted(each.stages), *(f"without {guard}" for guard in each.guards_off)]
        table.add_row(each.key, each.title, ", ".join(changes), each.source)
    return table
