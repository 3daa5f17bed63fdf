"""``pytest --quantdiff-backend``, in a project that is not ours."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

BACKEND = """
from engine import Session

def right(model, inputs):
    return Session(model).run(inputs)

def forgetful(model, inputs):
    return Session(model, faults=("F25",)).run(inputs)
"""


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "mine.py").write_text(BACKEND)
    command = [sys.executable, "-m", "pytest", "-p", "harness.pytest_plugin", "-q", *arguments]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_right_backend_passes(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, "--quantdiff-backend", "mine:right", "--quantdiff-cases", "20")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_wrong_backend_fails_and_names_the_folder(tmp_path: Path) -> None:
    done = pytest_in(
        tmp_path, "--quantdiff-backend", "mine:forgetful", "--quantdiff-cases", "100"
    )
    assert done.returncode == 1
    assert "F25" in done.stdout
    line = next(line for line in done.stdout.splitlines() if "folder" in line)
    folder = tmp_path / line.split()[-1]
    assert (folder / "repro.py").is_file()
    assert "Traceback" not in done.stdout
    again = pytest_in(
        tmp_path, "--quantdiff-backend", "mine:forgetful", "--quantdiff-cases", "100"
    )
    assert f"folder quantdiff-findings/findings/{folder.name}-2" in again.stdout


def test_an_unknown_backend_is_one_line(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, "--quantdiff-backend", "nonsense")
    assert done.returncode == 1
    assert "nonsense' is unknown" in done.stdout
    assert "Traceback" not in done.stdout


def test_no_cases_are_bad_usage(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, "--quantdiff-backend", "mine:right", "--quantdiff-cases", "0")
    assert done.returncode == 4
    assert "--quantdiff-cases" in done.stderr
    assert "Traceback" not in done.stderr
