"""``quantdiff faults``: the deliberate deviations that imitate real bugs."""

import json
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from engine.faults import CATALOGUE, Fault
from harness.cli.options import json_option


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
        "quantize": fault.quantize is not None,
        "guards_off": list(fault.guards_off),
    }


def _table(catalogue: Sequence[Fault]) -> Table:
    table = Table("fault", "what it does", "changes", "seen in", box=None)
    for each in catalogue:
        changes = [*sorted(each.stages), *(f"without {guard}" for guard in each.guards_off)]
        if each.quantize is not None:
            changes.append("QuantizeLinear")
        table.add_row(each.key, each.title, ", ".join(changes), each.source)
    return table
