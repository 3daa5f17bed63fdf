"""Int8 engines under pytest: ``pytest --quantdiff-backend NAME``, fixtures, a marker and profiles.

This module is loaded by every pytest run of an environment that has quantdiff: it takes a few
milliseconds, and what does the work is imported when it is asked for.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.cli.pytest_bench import PytestBench
    from harness.cli.pytest_fixtures import Check, Fuzz

FAMILIES = (
    *("conv", "matmul", "elementwise", "pool", "movement", "blockwise"),
    *("graphs", "all"),
)
SCALES = ("any", "tie-free", "tie-rich", "saturating")
MARKER = (
    "quantdiff(backend=None, family='conv', cases=200, scales='any', seed=0): "
    "what quantdiff_backend, quantdiff_check and quantdiff_fuzz use in this test where they are "
    "not told otherwise; backend is a name, a function, or a list of them. "
    "Without a word in the marker the command line's --quantdiff-... options hold."
)
NO_BACKEND = (
    "no backend: pytest --quantdiff-backend NAME, or @pytest.mark.quantdiff(backend=NAME)"
)
BENCH: pytest.StashKey[PytestBench] = pytest.StashKey()
RUN = pytest.StashKey[str]()
RUNNING = pytest.StashKey[pytest.Item]()


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def _natural(text: str) -> int:
    if int(text) < 0:
        raise ValueError
    return int(text)


def _seconds(text: str) -> float:
    if not 0.01 <= float(text) <= 3600:
        raise ValueError
    return float(text)


OPTIONS: dict[str, dict[str, Any]] = {
    "backend": {
        "action": "append",
        "default": [],
        "metavar": "NAME",
        "help": "fuzz this backend: NAME[:k=v,...][@PYTHON] or package.module:function; "
        "repeatable; a test quantdiff[NAME] for every 250 cases",
    },
    "cases": {
        "type": _positive,
        "default": 200,
        "metavar": "N",
        "help": "cases for each backend (default: 200)",
    },
    "seed": {
        "type": _natural,
        "default": 0,
        "metavar": "S",
        "help": "same seed, same cases, those of `quantdiff fuzz --seed S` (default: 0)",
    },
    "family": {
        "default": "conv",
        "choices": FAMILIES,
        "metavar": "FAMILY",
        "help": f"what to generate: {', '.join(FAMILIES)} (default: conv)",
    },
    "scales": {
        "default": "any",
        "choices": SCALES,
        "metavar": "POLICY",
        "help": f"scale policy: {', '.join(SCALES)} (default: any)",
    },
    "timeout": {
        "type": _seconds,
        "default": 10.0,
        "metavar": "SECONDS",
        "help": "an engine that takes longer for one case hangs (default: 10)",
    },
    "out": {
        "default": "quantdiff-findings",
        "metavar": "DIR",
        "help": "where the folders of findings go (default: quantdiff-findings)",
    },
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, each with its meaning in ``pytest --help``."""
    group = parser.getgroup("quantdiff", "exact fuzzing of int8 engines")
    for name, options in OPTIONS.items():
        group.addoption(f"--quantdiff-{name}", **options)


@pytest.hookimpl(tryfirst=True)  # before Hypothesis loads the profile that is named
def pytest_configure(config: pytest.Config) -> None:
    """Documents the marker; names of backends and profiles are looked at where there are any."""
    config.addinivalue_line("markers", MARKER)
    if str(config.getoption("--hypothesis-profile", None) or "").startswith("quantdiff-"):
        from harness.pytest_hypothesis import register_profiles

        register_profiles()
    if names := config.getoption("--quantdiff-backend"):
        from harness.cli.pytest_fixtures import require_known

        require_known(names)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the workers of backends, if there are any."""
    if bench := config.stash.get(BENCH, None):
        bench.close()
    if RUN in config.stash and not hasattr(config, "workerinput"):
        from harness.cli.pytest_fixtures import claims_of

        claims_of(config).close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """All processes of pytest-xdist know their run by one name."""
    node.workerinput["quantdiff_run"] = run_of(node.config)


def run_of(config: pytest.Config) -> str:
    """A name that is the same in all processes of this run, and no other's."""
    if RUN not in config.stash:
        given = getattr(config, "workerinput", {}).get("quantdiff_run")
        config.stash[RUN] = given or os.urandom(8).hex()
    return config.stash[RUN]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each backend, where a test asks for ``quantdiff_backend``."""
    if "quantdiff_backend" in metafunc.fixturenames:
        from harness.cli.pytest_fixtures import Wanted
        from harness.errors import BadInput

        try:
            names = Wanted.of(metafunc.config, metafunc.definition).backends
        except BadInput as error:
            pytest.fail(str(error), pytrace=False)
        absent = pytest.param("", marks=pytest.mark.skip(reason=NO_BACKEND), id="none")
        metafunc.parametrize("quantdiff_backend", names or [absent])


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Tests for each backend that was named, after all others."""
    ours = [each for each in items if _uses_quantdiff(each)]
    if ours and "hypothesis" in sys.modules:
        from harness.pytest_hypothesis import settle

        settle(ours)
    if names := config.getoption("--quantdiff-backend"):
        from harness.cli.fuzz_item import FuzzItem

        items.extend(each for name in names for each in FuzzItem.all_of(session, name))


def _uses_quantdiff(item: pytest.Item) -> bool:
    return not {"quantdiff_check", "quantdiff_fuzz"}.isdisjoint(
        getattr(item, "fixturenames", ())
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The fixtures live as long as the session, and ask which test is running."""
    if _uses_quantdiff(item):
        item.config.stash[RUNNING] = item


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Each bug once, whatever number of tests and processes met it."""
    tests: dict[str, list[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, value in report.user_properties:
                    if name == "quantdiff_finding":
                        tests.setdefault(value.split()[0], []).append(value)
    if tests:
        terminalreporter.section("quantdiff")
    for lines in tests.values():
        many = f"  ({len(lines)} tests)" if len(lines) > 1 else ""
        terminalreporter.write_line(lines[0] + many)


@pytest.fixture(scope="session")
def quantdiff_backend() -> str:
    """The name of a backend: the test runs once for each that the marker or the options name."""
    return ""


@pytest.fixture(scope="session")
def quantdiff_check(pytestconfig: pytest.Config) -> Check:
    """Run one case on the backends and judge every value exactly.

    ``quantdiff_check(case, *, backend=None)`` or ``quantdiff_check(model, inputs, *, backend=None)``.
    Where one is wrong the test fails with the
    operation at fault, the diagnosis, the law and the smallest case, which is kept in a folder.
    ``model`` is an onnx.ModelProto, its bytes or a path; inputs not given are drawn. ``backend``
    is a name, a function ``run(model, inputs)`` at the top level of a module, or several of them.
    It lives as long as the session, so that Hypothesis tests may use it. They have no deadline and
    are not shrunk, unless they have settings of their own: those need ``deadline=None``.
    """
    from harness.cli.pytest_fixtures import Check

    return Check(pytestconfig)


@pytest.fixture(scope="session")
def quantdiff_fuzz(pytestconfig: pytest.Config) -> Fuzz:
    """Draw cases, as ``quantdiff fuzz`` does, and fail with every bug that they show.

    ``quantdiff_fuzz(*, backend=None, family=None, cases=None, scales=None, seed=None)``. What is
    not said is what the test's marker says, or else the command line.
    """
    from harness.cli.pytest_fixtures import Fuzz

    return Fuzz(pytestconfig)
