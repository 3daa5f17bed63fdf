"""The command line: ``quantdiff COMMAND``.

Exit status everywhere: 0 nothing wrong, 1 divergence found, 2 bad usage or bad input (one line),
3 interrupted with everything saved.
"""

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

INTERRUPTED = 3


def main() -> None:
    """Run the command of ``sys.argv``; SIGTERM is an interrupt like Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status == INTERRUPTED:
        _leave(status)
    sys.exit(status)


def _leave(status: int) -> NoReturn:
    """End at once: where Ctrl-C came while a module ran ``exec``, Python would end by SIGINT."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)


def run(arguments: list[str]) -> int:
    """The exit status of one command line; what a person did wrong is one line on stderr.

    The commands are imported here, where Ctrl-C is already understood: it takes a second.
    """
    from harness.cli import commands

    return commands.run(arguments)
