"""Miniature backends with one flaw each, as ``tests.fakes:NAME``; the flaw must be seen for what it is."""

from tests.fakes.adapters import *  # noqa: F403
from tests.fakes.chance import *  # noqa: F403
from tests.fakes.dying import *  # noqa: F403
from tests.fakes.talking import *  # noqa: F403
from tests.fakes.values import *  # noqa: F403
