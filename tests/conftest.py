"""Options and fixtures for every test: Hypothesis profiles and golden files."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

GOLDEN = Path(__file__).parent / "golden"

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
settings.register_profile("nightly", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden")


def pytest_configure() -> None:
    """Before anything loads torch: the profile ``onednn`` is that of its AVX2 kernels.

    oneDNN chooses kernels by the CPU, and they order float operations differently; capped, the
    choice is the same on every x86 machine. Source: oneDNN developer guide, CPU dispatcher control.
    """
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")


def pytest_report_header() -> str:
    """The CPU's names for what int8 kernels are chosen by."""
    found = ", ".join(sorted(instruction_sets())) or "not told by /proc/cpuinfo"
    return f"instruction sets: {found}"


def instruction_sets() -> set[str]:
    """Those of /proc/cpuinfo that engines look for; none where there is no such file."""
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="ascii").split())
    except OSError:
        return set()
    return {each for each in words if each.startswith(("avx", "amx", "fma", "ssse3"))}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests want to be seen in every run: ``record_property("said", line)``."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, line in getattr(report, "user_properties", ()):
                if name == "said" and report.when == "call":
                    terminalreporter.write_line(str(line))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(name, text)`` compares with ``tests/golden/<name>``, or rewrites it when asked to."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text

    return check
