"""Reported bugs of onnxruntime, met again in generated cases on releases that have them.

``QUANTDIFF_ORT=1.20.1=PATH/TO/python,1.26.0=...`` names interpreters with other releases; the
installed one is always asked.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.backends.versions import version
from harness.cli import INTERRUPTED, run

pytestmark = [pytest.mark.slow, pytest.mark.backend("ort")]

OTHERS = "QUANTDIFF_ORT"
CASES = 1000
SEEDS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Issue:
    """Which cases meet it, what is to blame, and the first release without it (none: open).

    Source: microsoft/onnxruntime, the issue or pull request of that ``number``.
    """

    number: int
    family: str
    options: str
    ops: tuple[str, ...]
    fault: str
    guilty: str
    fixed: tuple[int, ...] | None

    def is_in(self, release: str) -> bool:
        """Whether a release has the bug."""
        return self.fixed is None or _numbers(release) < self.fixed


SELECTOR = "QDQSelectorActionTransformer"
ISSUES = (
    Issue(28130, "matmul", "level=all", ("Gemm",), "F62", SELECTOR, (1, 28)),
    Issue(28448, "movement", "level=all", ("Resize",), "F105", SELECTOR, (1, 27)),
    Issue(
        25259,
        "conv",
        "level=all",
        ("DequantizeLinear", "QuantizeLinear"),
        "F112",
        "DoubleQDQPairsRemover",
        None,
    ),
    Issue(21712, "graphs", "int8=on", ("Conv",), "F58", SELECTOR, None),
)


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(each) for each in release.split(".") if each.isdigit())


def releases() -> dict[str, str]:
    """Interpreters by the release that they have; "" is ours."""
    given = [each.partition("=") for each in os.environ.get(OTHERS, "").split(",") if each]
    return {version("onnxruntime"): "", **{release: path for release, _, path in given}}


def asked(*, with_bug: bool) -> Iterator[Any]:
    """Issue and release, for all releases that have the bug, or that have it no more."""
    for issue in ISSUES:
        fitting = [each for each in releases() if issue.is_in(each) == with_bug]
        for release in fitting:
            yield pytest.param(issue, release, id=f"{issue.number}-{release}")
        if with_bug and not fitting:
            why = f"the installed onnxruntime has it no more; name an older one in {OTHERS}"
            yield pytest.param(
                issue, "", id=f"{issue.number}", marks=pytest.mark.skip(reason=why)
            )


def fuzzed(issue: Issue, release: str, options: str, seed: int, out: Path) -> list[Any]:
    """The findings of that fault in a campaign of the issue's family."""
    backend = spelled(release, options)
    what = ["-b", backend, "--family", issue.family, "--seed", str(seed)]
    status = run(["fuzz", *what, "--cases", str(CASES), "--out", str(out)])
    if status == INTERRUPTED:  # half a campaign proves nothing; the signal was for all of us
        raise KeyboardInterrupt
    summary = json.loads((out / "summary.json").read_text())
    assert summary["cases"] == CASES
    return [each for each in summary["findings"] if shows(each, issue)]


def spelled(release: str, options: str) -> str:
    """The backend of that release, with options."""
    python = releases()[release]
    return f"ort:{options}" + (f"@{python}" if python else "")


def shows(finding: Any, issue: Issue) -> bool:
    """Whether a finding names the issue's fault in one of its operations."""
    named = {each["fault"] for each in finding["diagnosis"]}
    return finding["op"] in issue.ops and issue.fault in named


@pytest.mark.parametrize(("issue", "release"), list(asked(with_bug=True)))
def test_is_found_blamed_and_gone_without_the_pass(
    issue: Issue, release: str, tmp_path: Path
) -> None:
    for seed in SEEDS:
        out = tmp_path / f"with{seed}"
        found = fuzzed(issue, release, issue.options, seed, out)
        if found:
            break
    assert found
    finding = found[0]
    assert finding["backend"]["version"] == release
    assert finding["verdict"] == "wrong"
    assert finding["switches"] == [[issue.guilty]]
    assert finding["size"]["nodes"] <= 1  # conversions do not count

    without = f"{issue.options},disable={issue.guilty}"
    small = str(out / "findings" / finding["id"])
    assert run(["replay", small, "-b", spelled(release, issue.options)]) == 1
    assert run(["replay", small, "-b", spelled(release, without)]) == 0
    assert not fuzzed(issue, release, without, seed, tmp_path / "without")


@pytest.mark.parametrize(("issue", "release"), list(asked(with_bug=False)))
def test_is_not_found_in_a_release_without_it(
    issue: Issue, release: str, tmp_path: Path
) -> None:
    assert not fuzzed(issue, release, issue.options, SEEDS[0], tmp_path / "run")
