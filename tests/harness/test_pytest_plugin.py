"""The plug-in's options, fixtures and marker; each in a stranger's project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from generators import FAMILIES, SCALES
from harness import pytest_plugin
from tests.harness.cli.strangers import ROOT, pytest_in

BACKENDS = """
from engine import Session

def right(model, inputs):
    return Session(model).run(inputs)

def refuses(model, inputs):
    raise NotImplementedError("no kernel for this")
"""


def test_families_and_policies_are_those_of_the_generators() -> None:
    assert pytest_plugin.FAMILIES == FAMILIES
    assert sorted(pytest_plugin.SCALES) == sorted(SCALES)


def test_everything_is_documented(tmp_path: Path) -> None:
    shown = pytest_in(tmp_path, {}, "--help").stdout
    for name in pytest_plugin.OPTIONS:
        assert f"--quantdiff-{name}=" in shown
    assert all(each in shown for each in FAMILIES)
    assert "@pytest.mark.quantdiff(backend=None" in pytest_in(tmp_path, {}, "--markers").stdout
    fixtures = pytest_in(tmp_path, {}, "--fixtures").stdout
    for name in ("quantdiff_backend", "quantdiff_check", "quantdiff_fuzz"):
        assert f"{name} [session scope]" in fixtures


def test_a_run_without_quantdiff_pays_a_few_milliseconds() -> None:
    best = min(_import_milliseconds() for _ in range(3))
    assert best < 5.0


def _import_milliseconds() -> float:
    """What the plug-in adds to pytest's own imports, as -X importtime has it."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import pytest, harness.pytest_plugin"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split("|") for line in done.stderr.splitlines() if "|" in line]
    ours = {each[2].strip(): each[1] for each in rows}
    return sum(int(ours[name]) for name in ("harness", "harness.pytest_plugin")) / 1000


def test_a_test_without_cases_of_ours_loads_nothing(tmp_path: Path) -> None:
    test = """
import sys

def test_nothing_is_loaded():
    heavy = {"hypothesis", "numpy", "onnx", "generators", "harness.cli"}
    assert not heavy & set(sys.modules)
"""
    done = pytest_in(tmp_path, {"test_mine.py": test})
    assert done.returncode == 0, done.stdout


def test_what_fixtures_and_the_marker_take_and_refuse(tmp_path: Path) -> None:
    test = """
import numpy as np
import pytest
from generators import draw_case
from mine import refuses, right

CASE = draw_case("conv", "any", 3)

@pytest.mark.quantdiff(backend=right)
def test_bytes_and_a_model_and_a_path(quantdiff_check, tmp_path):
    (tmp_path / "model.onnx").write_bytes(CASE.model)
    quantdiff_check(CASE.model, CASE.inputs)
    quantdiff_check(CASE.proto())
    quantdiff_check(tmp_path / "model.onnx")

def test_no_backend(quantdiff_check):
    quantdiff_check(CASE)

def test_no_model(quantdiff_check):
    quantdiff_check(b"no model", backend=right)

def test_another_input(quantdiff_check):
    quantdiff_check(CASE.model, {"z": np.zeros(3)}, backend=right)

def test_a_function_without_a_name(quantdiff_check):
    quantdiff_check(CASE, backend=lambda model, inputs: {})

@pytest.mark.quantdiff(backend=[right, refuses], cases=3)
def test_each(quantdiff_backend, quantdiff_fuzz):
    quantdiff_fuzz(backend=quantdiff_backend)

@pytest.mark.quantdiff(famly="conv")
def test_a_misspelt_word(quantdiff_fuzz):
    quantdiff_fuzz(backend=right)

def test_an_unknown_family(quantdiff_fuzz):
    quantdiff_fuzz(backend=right, family="convs")

def test_skipped(quantdiff_backend):
    raise AssertionError
"""
    done = pytest_in(tmp_path, {"mine.py": BACKENDS, "test_mine.py": test}, "-rA")
    said = done.stdout
    assert "7 failed, 2 passed, 1 skipped" in said
    assert "PASSED test_mine.py::test_bytes_and_a_model_and_a_path" in said
    assert "PASSED test_mine.py::test_each[mine:right]" in said
    assert "FAILED test_mine.py::test_each[mine:refuses]" in said
    for words in (
        "BadInput: no backend: pytest --quantdiff-backend NAME",
        "BadInput: the model given is not an ONNX model",
        "BadInput: the model has no input 'z'",
        "define it at the top level of a module",
        "BadInput: quantdiff does not take famly; it takes backend=",
        "BadInput: family 'convs' is none of conv, matmul",
    ):
        assert words in said
    assert "harness/cli/pytest_fixtures.py" not in said  # no frames of ours


@pytest.mark.parametrize("own", [True, False])
def test_profiles_are_there_unless_the_project_has_its_own(tmp_path: Path, own: bool) -> None:
    test = """
from hypothesis import settings

def test_profile():
    print("examples", settings.get_profile("quantdiff-ci").max_examples)
    assert settings.get_current_profile_name() == "quantdiff-ci"
"""
    conftest = """
from hypothesis import settings
settings.register_profile("quantdiff-ci", max_examples=7)
"""
    files = {"test_mine.py": test, **({"conftest.py": conftest} if own else {})}
    done = pytest_in(tmp_path, files, "-s", "--hypothesis-profile=quantdiff-ci")
    assert done.returncode == 0, done.stdout
    assert f"examples {7 if own else 300}" in done.stdout
