"""``quantdiff report``: render a run again from its log."""

import sys
from pathlib import Path

import click

from harness.cli.fuzz import write_pages
from harness.cli.options import json_option
from reports import console, summary


@click.command()
@click.argument("folder", metavar="DIR")
@json_option("summary.json on stdout, nothing else.")
def report(folder: str, as_json: bool) -> int:
    """Render the pages, the summary and the JUnit file of a run again from events.ndjson."""
    found = write_pages(Path(folder))
    print(summary.render(found) if as_json else console.render(found), end="", file=sys.stdout)
    return 1 if found.findings else 0
