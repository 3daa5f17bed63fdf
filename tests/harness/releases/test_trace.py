"""A bug replayed in releases: each gets its word, and the command tells when it came and went."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import harness.cli.since as command
from corpus import history, store
from corpus.finding import Finding
from corpus.history import History
from harness.cli import run
from harness.cli.keep import as_json
from harness.investigate import investigate
from harness.releases.bug import KeptBug, read_bug
from harness.releases.environments import Missing
from harness.releases.trace import trace
from harness.suspect import suspects
from tests.harness.benches import bench_of, padded
from tests.harness.releases.engine import NAME, interpreter

FOUND_IN = "3.0"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Releases that behave as told; one that behaves as "gone" cannot be had."""

    folder: Path
    behaves: Mapping[str, str]

    def versions(self) -> tuple[str, ...]:
        return tuple(self.behaves)

    def python_with(self, version: str) -> str | Missing:
        if self.behaves[version] == "gone":
            return Missing(f"no wheel of engine {version} for this Python")
        return interpreter(self.folder, sys.executable, version, self.behaves[version])


def keep(folder: Path, behaves: str) -> Path:
    """A finding on release 3.0, which behaves like this, in a folder."""
    python = interpreter(folder, sys.executable, FOUND_IN, behaves)
    with bench_of(f"{NAME}@{python}") as bench:
        (spec,) = bench.specs
        case = padded()
        suspect = suspects(bench, spec, case, bench.run(case, spec))[0]
        dossier = investigate(bench, suspect, seed=0, law=False)
    place = folder / "found"
    files = {"finding.json": as_json(dossier.finding)}
    store.save(place, dossier.case, dossier.arrays, files=files)
    return place


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep(tmp_path_factory.mktemp("wrong"), "F25")


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep(tmp_path_factory.mktemp("refused"), "refuses")


def traced(bug: KeptBug, shelf: Shelf) -> History:
    *_, last = trace(bug, "miniature", shelf.versions(), shelf, timeout=1.0)
    return last


def test_each_release_gets_its_word(wrong: Path, tmp_path: Path) -> None:
    behaves = {
        "1.0": "gone",
        "1.1": "absent",
        "1.2": "right",
        "2.0": "F25",
        "2.1": "F19",
        "2.2": "refuses",
        "2.3": "dies",
        "3.1": "right",
    }
    told = traced(read_bug(wrong), Shelf(tmp_path, behaves))
    words = {each.version: each.word for each in told.releases}
    assert words == {
        "1.0": history.UNAVAILABLE,
        "1.1": history.UNAVAILABLE,
        "1.2": history.RIGHT,
        "2.0": history.SAME,
        "2.1": history.ANOTHER,
        "2.2": history.REFUSED,
        "2.3": history.CRASHED,
        "3.1": history.RIGHT,
    }
    said = {each.version: each.message for each in told.releases}
    assert said["1.0"] == "no wheel of engine 1.0 for this Python"
    assert "no engine here" in said["1.1"]
    assert "no kernel for this" in said["2.2"]
    assert "F19" in said["2.1"]
    assert (told.first_bad, told.last_good) == ("2.0", "1.2")
    assert (told.last_bad, told.first_good) == ("2.0", "3.1")


def test_a_refusal_is_followed_by_its_words(refused: Path, tmp_path: Path) -> None:
    behaves = {"1.0": "right", "2.0": "refuses", "3.0": "hangs", "4.0": "F25"}
    told = traced(read_bug(refused), Shelf(tmp_path, behaves))
    assert [each.word for each in told.releases] == [
        history.RIGHT,
        history.SAME,
        history.TIMED_OUT,
        history.ANOTHER,
    ]


def test_the_same_bug_without_a_diagnosis_is_known_by_its_values(
    wrong: Path, tmp_path: Path
) -> None:
    bug = read_bug(wrong)
    plain = replace(bug, finding=replace(bug.finding, diagnosis=(), signature="?"))
    told = traced(plain, Shelf(tmp_path, {"1.0": "F25", "2.0": "F19", "3.0": "right"}))
    words = [each.word for each in told.releases]
    assert words == [history.SAME, history.ANOTHER, history.RIGHT]


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the command finds instead of a package index."""
    behaves: dict[str, str] = {}

    @dataclass(frozen=True, slots=True)
    class Offered(Shelf):
        package: str

    def offered(package: str, **_: object) -> Offered:
        return Offered(tmp_path / "shelf", behaves, package)

    monkeypatch.setattr(command, "Environments", offered)
    return behaves


def test_the_command_tells_prints_and_keeps_it(
    wrong: Path,
    shelf: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shelf |= {"1.0": "right", "2.0": "F25", "2.1": "gone", "4.0": "right"}
    page = tmp_path / "deep" / "page.html"
    arguments = ["since", str(wrong), "--package", "miniature", "--html", str(page)]
    assert run(arguments) == 0
    said = capsys.readouterr()
    assert "First bad release: 2.0; 1.0 is right." in said.out
    assert (
        "First good release: 4.0; 2.0 has the bug, between them 2.1 (unavailable)." in said.out
    )
    assert "no wheel of engine 2.1" in said.err
    assert "First bad release: 2.0" in page.read_text()
    kept = history.read_history(wrong)
    assert kept is not None
    assert run([*arguments[:-2], "--versions", "1.5..3.0", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["last_bad"] == "2.0"
    assert document["first_good"] is None
    assert [each["version"] for each in document["releases"]] == ["2.0", "2.1"]
    assert history.read_history(wrong) == kept


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--package", "-r"], "no name of a package"),
        (["--package", "../x"], "no name of a package"),
        ([], "--package is missing"),
        (["--package", "miniature", "--versions", "new"], "no version"),
        (
            ["--package", "miniature", "--versions", "2.1"],
            "no release of miniature can be used",
        ),
    ],
)
def test_bad_usage_is_one_line(
    wrong: Path,
    shelf: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    complaint: str,
) -> None:
    shelf |= {"2.1": "gone"}
    assert run(["since", str(wrong), *arguments]) == 2
    assert complaint in capsys.readouterr().err.splitlines()[-1]


def test_what_is_no_finding_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["since", str(tmp_path), "--package", "miniature"]) == 2
    assert "holds no finding.json" in capsys.readouterr().err
    (tmp_path / "finding.json").write_text("{}")
    assert run(["since", str(tmp_path), "--package", "miniature"]) == 2
    assert "is damaged" in capsys.readouterr().err


def test_the_kept_finding_is_the_one_that_was_saved(wrong: Path) -> None:
    bug = read_bug(wrong)
    assert isinstance(bug.finding, Finding)
    assert bug.words == "divergent | F25"
    assert bug.spec.name == NAME
    assert set(bug.actual) == {"y"}
