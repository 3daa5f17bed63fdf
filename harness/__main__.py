"""``python -m harness`` is ``quantdiff``."""

from harness.cli import main

main()
