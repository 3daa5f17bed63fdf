"""Ten lines in a stranger's project do the job: the fault is named, and what is right passes."""

from pathlib import Path

import pytest

from tests.harness.cli.strangers import pytest_in

ENGINE = """
import numpy as np
from engine import Session
from onnx import numpy_helper

def right(model, inputs):
    return Session(model).run(inputs)

def forgetful(model, inputs):
    for node in model.graph.node:  # as if the zero point of x were 0
        for each in model.graph.initializer:
            if node.op_type == "QLinearConv" and each.name == node.input[2]:
                zero = np.zeros_like(numpy_helper.to_array(each))
                each.CopyFrom(numpy_helper.from_array(zero, each.name))
    return right(model, inputs)

def picky(model, inputs):
    if any(array.size % 2 for array in inputs.values()):
        raise NotImplementedError("an odd number of elements")
    return right(model, inputs)
"""
TEN_LINES = """
import pytest
from hypothesis import given
from generators import cases
from engine_of_mine import forgetful, right

@pytest.mark.parametrize("run", [right, forgetful])
@given(case=cases())
def test_my_engine(quantdiff_check, run, case):
    quantdiff_check(case, backend=run)
"""
SHORTER = """
import pytest
from hypothesis import given
from generators import cases

@pytest.mark.quantdiff(backend="engine_of_mine:picky")
@given(case=cases())
def test_picky(quantdiff_check, case):
    print("examples", case.digest)
    quantdiff_check(case)
"""


@pytest.mark.parametrize(
    "processes",
    [(), pytest.param(("-p", "xdist", "-n", "2"), marks=pytest.mark.slow)],
    ids=["alone", "xdist"],
)
def test_ten_lines_name_the_fault_and_keep_a_finding(
    tmp_path: Path, processes: tuple[str, ...]
) -> None:
    files = {"engine_of_mine.py": ENGINE, "test_mine.py": TEN_LINES}
    profile = "--hypothesis-profile=quantdiff-dev"
    options = ("-p", "no:cacheprovider", profile, "--hypothesis-seed=1")
    done = pytest_in(tmp_path, files, *options, *processes)
    said = done.stdout
    assert done.returncode == 1, said
    assert "1 failed, 1 passed" in said
    assert "FAILED test_mine.py::test_my_engine[forgetful]" in said
    assert "diagnosis  F25 the zero point of x is not subtracted" in said
    (kept,) = (tmp_path / "quantdiff-findings" / "findings").iterdir()
    assert f"folder quantdiff-findings/findings/{kept.name}" in said
    assert (kept / "repro.py").is_file()
    assert "\\x08" not in said  # a model's bytes help nobody
    assert "Case(drawn: " in said


@pytest.mark.slow
def test_what_failed_is_replayed_from_the_database(tmp_path: Path) -> None:
    files = {"engine_of_mine.py": ENGINE, "test_mine.py": SHORTER}
    first = pytest_in(tmp_path, files, "-p", "no:cacheprovider")
    assert first.returncode == 1, first.stdout
    assert "NotImplementedError: an odd number" in first.stdout
    assert "Case(drawn: " in first.stdout
    assert (tmp_path / ".hypothesis" / "examples").is_dir()
    again = pytest_in(tmp_path, files, "-p", "no:cacheprovider")
    assert again.returncode == 1
    assert (
        again.stdout.count("examples ") == 2
    )  # the one that failed, and once more to tell of it
