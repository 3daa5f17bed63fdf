"""The commands by name, and what becomes of an exception on its way to a person."""

import sys

import click

from corpus.load import InputError
from harness.cli.backends import backends
from harness.cli.check import check
from harness.cli.faults import faults
from harness.cli.fuzz import fuzz
from harness.cli.reduce import reduce
from harness.cli.replay import replay
from harness.cli.report import report
from harness.cli.since import since
from harness.errors import BadInput
from harness.events import BadLog
from harness.run import own_version

BAD_INPUT, INTERRUPTED = 2, 3


@click.group(no_args_is_help=False)
@click.version_option(own_version(), prog_name="quantdiff")
def quantdiff() -> None:
    """Find, locate, explain, shrink and report wrong answers of int8 inference engines."""


for command in (backends, check, faults, fuzz, reduce, replay, report, since):
    quantdiff.add_command(command)


def run(arguments: list[str]) -> int:
    """The exit status of one command line."""
    try:
        status = quantdiff.main(arguments, prog_name="quantdiff", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return int(leave.exit_code)
    except (KeyboardInterrupt, click.exceptions.Abort):
        return INTERRUPTED
    except click.ClickException as error:
        return _complain(f"{error.format_message()}{_advice(error)}")
    except (BadInput, InputError, BadLog) as error:
        return _complain(str(error))
    except BrokenPipeError:
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}")
    return status if isinstance(status, int) else 0


def _complain(message: str) -> int:
    print(f"quantdiff: {' '.join(message.split())}", file=sys.stderr)
    return BAD_INPUT


def _advice(error: click.ClickException) -> str:
    missing = isinstance(error, click.UsageError) and error.message == "Missing command."
    return f" Name one of {', '.join(quantdiff.commands)}." if missing else ""
