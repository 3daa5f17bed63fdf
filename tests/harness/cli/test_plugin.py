"""``pytest --quantdiff-backend``, in a project that is not ours."""

from pathlib import Path

import pytest

from tests.harness.cli.strangers import pytest_in

FORGETFUL = ("--quantdiff-backend", "mine:forgetful", "--quantdiff-cases")
PROJECT = {
    "mine.py": """
from engine import Session

def right(model, inputs):
    return Session(model).run(inputs)

def forgetful(model, inputs):
    return Session(model, faults=("F25",)).run(inputs)

def refuses(model, inputs):
    raise NotImplementedError("no kernel for this")
"""
}


def test_a_right_backend_passes(tmp_path: Path) -> None:
    done = pytest_in(
        tmp_path, PROJECT, "--quantdiff-backend", "mine:right", "--quantdiff-cases", "20"
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert not (tmp_path / "quantdiff-findings").exists()


def test_a_wrong_backend_fails_and_names_the_folder(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, PROJECT, *FORGETFUL, "60", "--junit-xml=junit.xml")
    assert done.returncode == 1
    assert "F25 the zero point of x is not subtracted" in done.stdout
    assert "law        x zero point != 0" in done.stdout
    line = next(line for line in done.stdout.splitlines() if line.startswith("  folder"))
    folder = tmp_path / line.split()[-1]
    assert (folder / "repro.py").is_file()
    assert "Traceback" not in done.stdout
    assert "F25 the zero point of x is not subtracted" in (tmp_path / "junit.xml").read_text()


def test_processes_share_the_numbers_and_keep_each_bug_once(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    options = ("--quantdiff-backend", "mine:refuses", "--quantdiff-cases", "260")
    processes = ("-p", "xdist", "-n", "2", "-p", "no:cacheprovider")
    done = pytest_in(tmp_path, PROJECT, *options, *processes)
    assert done.returncode == 1
    assert "quantdiff[mine:refuses 0-249]" in done.stdout
    assert "quantdiff[mine:refuses 250-259]" in done.stdout
    out = tmp_path / "quantdiff-findings"
    kept = [each.parent.name for each in out.rglob("finding.json")]
    told = done.stdout.partition("= quantdiff =")[2].splitlines()
    met_twice = [line.split()[0] for line in told if line.endswith("(2 tests)")]
    assert met_twice
    assert set(met_twice) <= set(kept)
    assert not [name for name in kept if "-" in name]
    assert [each.name for each in out.iterdir()] == ["findings"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--quantdiff-backend", "nonsense"),
            "--quantdiff-backend: backend 'nonsense' is unknown",
        ),
        ((*FORGETFUL, "0"), "--quantdiff-cases"),
        ((*FORGETFUL, "9", "--quantdiff-family", "convs"), "choose from 'conv', 'matmul'"),
    ],
)
def test_bad_usage_is_one_line(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = pytest_in(tmp_path, PROJECT, *options)
    assert done.returncode == 4
    assert words in done.stderr
    assert "Traceback" not in done.stderr
