"""The command line: ``quantdiff COMMAND``.

Exit status everywhere: 0 nothing wrong, 1 divergence found, 2 bad usage or bad input (one line),
3 interrupted with everything saved.
"""

import sys

import click

from corpus.load import InputError
from harness.cli.backends import backends
from harness.cli.check import check
from harness.cli.fuzz import fuzz
from harness.cli.reduce import reduce
from harness.cli.replay import replay
from harness.cli.report import report
from harness.errors import BadInput
from harness.events import BadLog
from harness.run import own_version

WRONG, BAD_INPUT, INTERRUPTED = 1, 2, 3


@click.group()
@click.version_option(own_version(), prog_name="quantdiff")
def quantdiff() -> None:
    """Find, locate, explain, shrink and report wrong answers of int8 inference engines."""


for command in (backends, check, fuzz, reduce, replay, report):
    quantdiff.add_command(command)


def main() -> None:
    """Run a command; what a person did wrong is one line on stderr."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit status of one command line."""
    try:
        status = quantdiff.main(arguments, prog_name="quantdiff", standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.exceptions.Exit as leave:
        return int(leave.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.ClickException as error:
        return _complain(error.format_message())
    except (BadInput, InputError, BadLog) as error:
        return _complain(str(error))
    except BrokenPipeError:
        return 0
    return status if isinstance(status, int) else 0


def _complain(message: str) -> int:
    print(f"quantdiff: {' '.join(message.split())}", file=sys.stderr)
    return BAD_INPUT
