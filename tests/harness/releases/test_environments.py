"""Environments: made once, whole or not at all; every failure of pip is one line."""

import json
import os
import sys
from pathlib import Path

import pytest

from harness.releases.environments import Environments, Missing, default_folder, installed

# An interpreter that is none: it knows the questions it is asked, and keeps its packages in a file.
MINIATURE = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "{log}"
case "$*" in
  *cache_tag*) echo mini-39 ;;
  *importlib.metadata*) cat "$here/$4" 2>/dev/null || cat "$here/$3" ;;
  "-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *"index versions"*) printf 'pkg (2.0)\\nAvailable versions: 2.0, 1.10, 1.9\\n' ;;
  *"pkg==9.9"*) echo "ERROR: No matching distribution found for pkg==9.9" >&2; exit 1 ;;
  *"pkg==8.8"*) printf 'WARNING: x\\nERROR: no space\\nnotice\\n' >&2; exit 1 ;;
  *"pkg==7.7"*) exit 1 ;;
  *install*) for each; do case "$each" in pkg==*) echo "${{each#pkg==}}" > "$here/pkg";; esac; done ;;
  *) echo "unexpected: $*" >&2; exit 2 ;;
esac
"""


@pytest.fixture
def python(tmp_path: Path) -> str:
    path = tmp_path / "python"
    path.write_text(MINIATURE.format(log=tmp_path / "log"))
    path.chmod(0o755)
    return str(path)


def environments(tmp_path: Path, *pythons: str) -> Environments:
    return Environments("pkg", tmp_path / "kept", pythons)


def asked(tmp_path: Path, what: str) -> int:
    return (tmp_path / "log").read_text().count(what)


def test_an_environment_is_made_once_and_used_again(tmp_path: Path, python: str) -> None:
    made = environments(tmp_path, python).python_with("1.10")
    assert made == str(tmp_path / "kept" / "pkg-1.10-mini-39" / "bin" / "python")
    assert installed(made, "pkg") == "1.10"
    assert environments(tmp_path, python).python_with("1.10") == made
    assert asked(tmp_path, "pip install") == 1
    assert asked(tmp_path, "--only-binary :all: pkg==1.10 numpy onnx") == 1


def test_the_cache_holds_whole_environments_only(tmp_path: Path, python: str) -> None:
    failed = environments(tmp_path, python).python_with("8.8")
    assert failed == Missing("no space")
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_broken_environment_is_made_again(tmp_path: Path, python: str) -> None:
    made = environments(tmp_path, python).python_with("1.10")
    assert isinstance(made, str)
    Path(made).unlink()
    assert environments(tmp_path, python).python_with("1.10") == made
    assert installed(made, "pkg") == "1.10"


def test_what_an_interpreter_has_is_not_installed_again(tmp_path: Path, python: str) -> None:
    (tmp_path / "pkg").write_text("1.9\n")
    assert environments(tmp_path, python).python_with("1.9") == python
    assert not (tmp_path / "kept").exists()


def test_another_interpreter_may_have_the_wheel(tmp_path: Path, python: str) -> None:
    absent = str(tmp_path / "nowhere")
    made = environments(tmp_path, absent, python).python_with("2.0")
    assert isinstance(made, str)
    gone = environments(tmp_path, absent).python_with("2.0")
    assert gone == Missing(f"{absent} does not run: No such file or directory")


@pytest.mark.parametrize(
    ("version", "reason"),
    [("9.9", "no wheel of pkg 9.9 for mini-39"), ("7.7", "fails without a word")],
)
def test_a_failure_of_pip_is_one_line(
    tmp_path: Path, python: str, version: str, reason: str
) -> None:
    failed = environments(tmp_path, python).python_with(version)
    assert isinstance(failed, Missing)
    assert failed.reason.endswith(reason)


def test_versions_are_those_of_the_index_and_of_the_interpreters(
    tmp_path: Path, python: str
) -> None:
    (tmp_path / "pkg").write_text("1.9.5\n")
    assert environments(tmp_path, python).versions() == ("1.9", "1.9.5", "1.10", "2.0")
    failed = environments(tmp_path, str(tmp_path / "nowhere")).versions()
    assert isinstance(failed, Missing)


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path, python: str) -> None:
    (tmp_path / "kept").write_text("a file")
    failed = environments(tmp_path, python).python_with("1.10")
    assert isinstance(failed, Missing)
    assert "cannot be written to" in failed.reason


def test_the_default_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert default_folder() == Path("/cache/quantdiff/environments")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_folder() == Path.home() / ".cache/quantdiff/environments"


@pytest.mark.slow
def test_pip_makes_an_environment_that_runs_an_old_release(tmp_path: Path) -> None:
    made = Environments("onnxruntime", tmp_path, (sys.executable,))
    listed = made.versions()
    if isinstance(listed, Missing) or "1.18.1" not in listed:
        pytest.skip(f"no index with onnxruntime 1.18.1 for this Python: {listed}")
    python = made.python_with("1.18.1")
    assert isinstance(python, str)
    script = "import json, numpy, onnx, onnxruntime as o; print(json.dumps([o.__version__, numpy.__version__]))"
    with os.popen(f"{python} -c '{script}'") as said:
        release, numpy = json.load(said)
    assert release == "1.18.1"
    assert numpy.startswith("1.")
    absent = made.python_with("0.0.1")
    assert isinstance(absent, Missing)
    assert absent.reason.startswith("no wheel of onnxruntime 0.0.1 for cpython-3")
