"""The partner in a finding's folder: it comes back, replays, and damage is one line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from corpus import store
from corpus.history import RIGHT, SAME
from corpus.load import InputError
from harness.backends.spec import parse
from harness.cli import run
from harness.cli.keep import keep_in
from harness.investigate import investigate
from harness.partner_bugs import every_suspect
from harness.partner_folder import FILE, FOLDER, read_pair
from harness.releases.bug import read_bug, replayed
from tests.harness.benches import bench_of
from tests.harness.denormals import product

FLAWED = "tests.fakes:flushes_denormals_at_the_end"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finding that only a partner shows, kept as large as it was met."""
    spec, case, out = parse(FLAWED), product(), tmp_path_factory.mktemp("run")
    with bench_of(FLAWED, "engine") as bench:
        (suspect,) = every_suspect(bench, spec, case, bench.run(case, spec))
        dossier = investigate(bench, suspect, seed=1)
        saved = keep_in(out, patience=5)(dossier)
    assert not saved.finding.message  # its script was seen to show it
    return out / saved.folder


def test_both_cases_come_back(found: Path) -> None:
    case, arrays = store.load(found)
    pair = read_pair(found, case)
    assert pair is not None
    _, theirs = store.load(found / FOLDER)
    ours, place = arrays["actual"]["y"], pair.places["y"]
    assert place.of(ours).shape == theirs["actual"]["y"].shape
    assert (place.of(ours) != theirs["actual"]["y"]).any()
    assert pair.name in json.loads((found / "finding.json").read_text())["pattern"]
    low, high = arrays["allowed_low"]["y"], arrays["allowed_high"]["y"]
    assert ((ours < low) | (ours > high)).any()


def test_replay_judges_the_two_answers(
    found: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("-b", FLAWED, "-b", "engine", "-b", "tests.fakes:raises")
    assert run(["replay", str(found), "--json", *names]) == 1
    rows = json.loads(capsys.readouterr().out)["replayed"]
    assert [each["verdict"] for each in rows] == ["divergent", "exact", "silent"]
    assert [each["wrong"] for each in rows] == [True, False, False]


def test_other_releases_are_asked_for_both_answers(found: Path) -> None:
    bug = read_bug(found)
    with bench_of(FLAWED, "engine") as bench:
        words = [replayed(bench, spec, bug, "1").word for spec in bench.specs]
    assert words == [SAME, RIGHT]


def test_the_script_shows_both_answers(found: Path) -> None:
    ran = subprocess.run(
        [sys.executable, str(found / "repro.py")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "elements differ" in ran.stdout
    assert "of the partner (" in ran.stdout


def test_the_issue_says_why_two_models_must_agree(found: Path) -> None:
    text = (found / "issue.md").read_text()
    assert "leaves open what is right" in text
    assert "computed exactly from" not in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"name": "x", "claim": "places"}',
        '{"name": "x", "claim": "luck", "places": {}}',
        '{"name": "x", "claim": "places", "places": {"y": {"axis": 9, "indices": [0], "axes": null}}}',
        '{"name": "x", "claim": "places", "places": {"y": {"axis": 0, "indices": [0, "0"], "axes": null}}}',
        '{"name": "x", "claim": "places", "places": {"y": {"axis": 0, "indices": [0, 0, 0], "axes": null}}}',
        '{"name": "x", "claim": "places", "places": {"z": {"axis": 0, "indices": null, "axes": null}}}',
    ],
)
def test_a_damaged_partner_is_refused_in_one_line(
    found: Path, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case, arrays = store.load(found)
    partner, theirs = store.load(found / FOLDER)
    inner = {FOLDER: store.Contents(partner, theirs, {FILE: text})}
    folder = tmp_path / "f"
    files = {"finding.json": (found / "finding.json").read_text()}
    store.save(folder, case, arrays, files=files, inner=inner)
    with pytest.raises(InputError, match=r"partner\.json is damaged"):
        read_pair(folder, case)
    assert run(["replay", str(folder)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_folder_without_a_partner_has_none(tmp_path: Path) -> None:
    case = product()
    store.save(tmp_path / "f", case, {"actual": {"y": np.zeros(1, np.uint8)}})
    assert read_pair(tmp_path / "f", case) is None
