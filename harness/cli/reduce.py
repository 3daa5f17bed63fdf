"""``quantdiff reduce``: the smallest case that shows the same bug."""

import sys

import click

from harness.cli.keep import keep_as
from harness.cli.options import (
    backend_option,
    free_place,
    input_option,
    must_be_judged,
    open_bench,
    read_case,
    seed_option,
    timeout_option,
)
from harness.errors import BadInput
from harness.investigate import investigate, shrink
from harness.suspect import suspects
from harness.verdicts import is_wrong
from reports.console import finding_block


@click.command()
@click.argument("model", metavar="MODEL")
@input_option()
@backend_option(required=True)
@click.option(
    "-o", "--out", required=True, metavar="DIR", help="A folder that does not exist."
)
@seed_option()
@timeout_option()
def reduce(
    model: str,
    inputs: tuple[str, ...],
    backends: tuple[str, ...],
    out: str,
    seed: int,
    timeout: float,
) -> int:
    """Shrink MODEL to the smallest case with the same signature on backend B."""
    if len(backends) != 1:
        raise BadInput("reduce takes one backend; give -b once")
    folder = free_place("-o", out)
    case = read_case(model, inputs, seed)
    must_be_judged(case, model)
    with open_bench(backends, timeout, variants=False) as (bench, _):
        spec = bench.specs[0]
        outcome = bench.run(case, spec)
        if not is_wrong(case, outcome):
            print(f"{spec.text} is right on {model}: nothing to reduce", file=sys.stderr)
            return 0
        small = shrink(bench, suspects(bench, spec, case, outcome)[0])
        dossier = investigate(bench, small, seed=seed)
        saved = keep_as(folder, dossier, patience=timeout)
    for line in finding_block(saved, ""):
        print(line.plain)
    return 1
