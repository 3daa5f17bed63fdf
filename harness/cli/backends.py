"""``quantdiff backends``: what can be tested here, and why the rest cannot."""

import json
import sys
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from harness.backends import catalogue
from harness.backends.description import Description, Unavailable
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.cli.options import backend_option, json_option

Answer = Description | Unavailable


@click.command()
@backend_option()
@json_option()
def backends(backends: tuple[str, ...], as_json: bool) -> int:
    """List each backend: version, available or why not, taps, switches, operators."""
    specs = [parse(name) for name in backends or catalogue.names()]
    with Pool() as pool:
        answers = {spec.text: pool.describe(spec) for spec in specs}
    if as_json:
        print(json.dumps({name: _document(each) for name, each in answers.items()}, indent=2))
    else:
        Console(file=sys.stdout, soft_wrap=False).print(_table(answers))
    return 0


def _document(answer: Answer) -> dict[str, object]:
    return {"available": isinstance(answer, Description), **asdict(answer)}


def _table(answers: dict[str, Answer]) -> Table:
    table = Table("backend", "version", "taps", "switches", "operators", "limits", box=None)
    for name, answer in answers.items():
        if isinstance(answer, Unavailable):
            table.add_row(
                name, "-", "", "", "", f"not available: {answer.reason}", style="dim"
            )
        else:
            table.add_row(
                name,
                answer.version,
                "yes" if answer.taps else "prefixes",
                str(len(answer.switches)),
                str(len(answer.operators)) if answer.operators else "any",
                "; ".join(answer.limits),
            )
    return table
