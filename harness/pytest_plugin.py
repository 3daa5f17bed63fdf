"""Fuzzing under pytest: ``pytest --quantdiff-backend NAME --quantdiff-cases N``.

Each backend becomes one test, ``quantdiff[NAME]``. This module is loaded by every pytest run of an
environment that has quantdiff, so the work is imported only when a backend is named.
"""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a fuzz run under pytest."""
    option = parser.getgroup("quantdiff", "differential fuzzing of int8 engines").addoption
    option(
        "--quantdiff-backend",
        action="append",
        default=[],
        metavar="NAME",
        help="fuzz this backend: NAME[:k=v,...][@PYTHON] or package.module:function; repeatable",
    )
    option(
        "--quantdiff-cases",
        type=_positive,
        default=200,
        metavar="N",
        help="cases for each backend (default: 200)",
    )
    option(
        "--quantdiff-family",
        default="conv",
        choices=("conv", "graphs", "all"),
        help="what to generate (default: conv)",
    )
    option(
        "--quantdiff-scales",
        default="any",
        choices=("any", "tie-free", "tie-rich", "saturating"),
        help="scale policy (default: any)",
    )
    option(
        "--quantdiff-out",
        default="quantdiff-findings",
        metavar="DIR",
        help="where the folders of findings go (default: quantdiff-findings)",
    )


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """One test for each backend that was named, after all others."""
    if names := config.getoption("--quantdiff-backend"):
        from harness.cli.fuzz_item import FuzzItem

        items.extend(FuzzItem.of(session, name) for name in names)
